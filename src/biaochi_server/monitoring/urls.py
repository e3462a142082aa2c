"""Addresses of monitoring."""

from django.urls import path

from biaochi_server.monitoring.views import reporting, review, rounds, workbooks

app_name = "monitoring"
urlpatterns = [
    path("todo/", reporting.todo, name="todo"),
    path("submissions/", reporting.submissions, name="submissions"),
    path("submissions/<int:pk>/", reporting.grid, name="grid"),
    path("submissions/<int:pk>/paste/", reporting.paste, name="paste"),
    path("submissions/<int:pk>/workbook/", workbooks.workbook, name="workbook"),
    path("submissions/<int:pk>/excel/", workbooks.excel, name="excel"),
    path("uploads/<int:pk>/", workbooks.upload, name="upload"),
    path("uploads/<int:pk>/marked/", workbooks.marked, name="marked"),
    path("cells/<int:pk>/", review.cell, name="cell"),
    path("cells/<int:pk>/save/", reporting.save_cell, name="save_cell"),
    path("cells/<int:pk>/unlock/", review.unlock, name="unlock"),
    path("unlocks/<int:pk>/", review.answer_unlock, name="answer_unlock"),
    path("review/<int:pk>/", review.review, name="review"),
    path("rounds/", rounds.rounds, name="rounds"),
    path("rounds/new/", rounds.new_round, name="new_round"),
    path("rounds/<int:pk>/", rounds.board, name="board"),
    path("rounds/<int:pk>/move/", rounds.move_round, name="move_round"),
    path("rounds/<int:pk>/remind/", rounds.remind, name="remind"),
    path("frameworks/", rounds.editions, name="editions"),
    path("frameworks/<int:pk>/", rounds.edition, name="edition"),
    path("indicators/<int:pk>/", rounds.indicator, name="indicator"),
]
