"""Addresses about people."""

from django.urls import path

from biaochi_server.people import views

app_name = "people"
urlpatterns = [
    path("login/", views.sign_in, name="login"),
    path("login/second/", views.second, name="second"),
    path("logout/", views.sign_out, name="logout"),
    path("forgot/", views.forgot, name="forgot"),
    path("set-password/<uidb64>/<token>/", views.set_by_link, name="set_by_link"),
    path("account/", views.account, name="account"),
    path("account/password/", views.password, name="password"),
    path("account/second/", views.second_setup, name="second_setup"),
    path("organisations/", views.organisations, name="organisations"),
    path("organisations/new/", views.organisation, name="new_organisation"),
    path("organisations/<int:pk>/", views.organisation, name="organisation"),
    path("users/", views.users, name="users"),
    path("users/new/", views.user, name="new_user"),
    path("users/<int:pk>/", views.user, name="user"),
    path("users/<int:pk>/duty/", views.give_duty, name="give_duty"),
    path("users/<int:pk>/active/", views.set_active, name="set_active"),
    path("users/<int:pk>/second/", views.reset_second, name="reset_second"),
    path("users/<int:pk>/link/", views.link, name="link"),
    path("duties/<int:pk>/end/", views.end_duty, name="end_duty"),
]
