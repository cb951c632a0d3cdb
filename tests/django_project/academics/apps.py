"""Its name in the registry of Django."""

from __future__ import annotations

from django.apps import AppConfig


class Academics(AppConfig):
    name = "tests.django_project.academics"
    label = "academics"
