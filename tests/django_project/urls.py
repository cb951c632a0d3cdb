"""The platform's own routes, as far as its pages and our deliveries need them."""

from __future__ import annotations

from django.urls import path

from tests.django_project.academics import pages, steering, views

urlpatterns = [
    path("api/generation-jobs/generate/", views.generate),
    path("api/generation-jobs/<uuid:job_id>/cancel/", steering.cancel),
    path("api/generation-jobs/<uuid:job_id>/again/", steering.again),
    path("api/generation-jobs/<uuid:job_id>/directly/", steering.directly),
    path("api/progress/<uuid:job_id>/", views.progress),
    path("api/timetable/callback/", views.callback),
    path("api/timetable/variants/<str:variant_id>/department_view/", views.department_view),
    path("api/conflicts/detect/", views.detect_conflicts),
    path("api/timetable/variants/", pages.cards),
    path("api/timetable/variants/compare/", pages.compare),
    path("api/timetable/variants/scope_view/", pages.student_scope),
    path("api/timetable/student/me/", pages.student_week),
    path("api/timetable/faculty/me/", pages.faculty_week),
]
