"""Addresses of monitoring."""

from django.urls import path

from biaochi_server.monitoring import views

app_name = "monitoring"
urlpatterns = [
    path("todo/", views.todo, name="todo"),
    path("submissions/", views.submissions, name="submissions"),
    path("submissions/<int:pk>/", views.grid, name="grid"),
    path("submissions/<int:pk>/paste/", views.paste, name="paste"),
    path("cells/<int:pk>/", views.cell, name="cell"),
    path("cells/<int:pk>/save/", views.save_cell, name="save_cell"),
    path("cells/<int:pk>/unlock/", views.unlock, name="unlock"),
    path("unlocks/<int:pk>/", views.answer_unlock, name="answer_unlock"),
    path("review/<int:pk>/", views.review, name="review"),
    path("rounds/", views.rounds, name="rounds"),
    path("rounds/new/", views.new_round, name="new_round"),
    path("rounds/<int:pk>/", views.board, name="board"),
    path("rounds/<int:pk>/move/", views.move_round, name="move_round"),
    path("rounds/<int:pk>/remind/", views.remind, name="remind"),
    path("frameworks/", views.editions, name="editions"),
    path("frameworks/<int:pk>/", views.edition, name="edition"),
    path("indicators/<int:pk>/", views.indicator, name="indicator"),
]
