"""Settings of the platform. The environment names its database, its Redis, our address and the queue of its workers."""

from __future__ import annotations

import os

from psycopg.conninfo import conninfo_to_dict

_database = conninfo_to_dict(os.environ["DATABASE_URL"])

SECRET_KEY = "not secret: this project exists only while a test runs"
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "tests.django_project.urls"
INSTALLED_APPS = ["tests.django_project.academics"]
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _database["dbname"],
        "USER": _database.get("user"),
        "PASSWORD": _database.get("password", ""),
        "HOST": _database["host"],
        "PORT": _database["port"],
    }
}

REDIS_URL = os.environ["REDIS_URL"]
"""Progress is read from the database index of this address."""
FASTAPI_URL = os.environ["FASTAPI_URL"]

CELERY_BROKER_URL = os.environ["BROKER_URL"]
CELERY_TASK_DEFAULT_QUEUE = os.environ["CELERY_QUEUE"]
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True
