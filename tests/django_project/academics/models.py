"""The tables of the contract, sections 1, 3.2 and 8, as the platform's own models."""

from __future__ import annotations

import uuid

from django.db import models


class GenerationJob(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    status = models.CharField(max_length=20, default="pending")
    progress = models.IntegerField(default=0)
    timetable_data = models.JSONField(null=True)
    error_message = models.TextField(null=True)
    academic_year = models.CharField(max_length=20)
    semester = models.IntegerField()
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    completed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "generation_jobs"


class Timetable(models.Model):
    """What the callback has brought; inactive until people approve of it."""

    job = models.ForeignKey(GenerationJob, models.CASCADE)
    name = models.TextField()
    is_active = models.BooleanField(default=False)

    class Meta:
        db_table = "timetables"


class TimetableSlot(models.Model):
    timetable = models.ForeignKey(Timetable, models.CASCADE)
    day = models.CharField(max_length=10)
    start_time = models.TimeField()
    end_time = models.TimeField()
    subject_id = models.TextField()
    faculty_id = models.TextField(null=True)
    classroom_id = models.TextField(null=True)

    class Meta:
        db_table = "timetable_slots"


class Organization(models.Model):
    org_id = models.UUIDField(primary_key=True)
    org_name = models.TextField()
    is_active = models.BooleanField(db_default=True)

    class Meta:
        db_table = "organizations"


class OfOrganization(models.Model):
    org = models.ForeignKey(Organization, models.CASCADE)
    is_active = models.BooleanField(db_default=True)

    class Meta:
        abstract = True


class Course(OfOrganization):
    course_id = models.TextField(primary_key=True)
    course_code = models.TextField(null=True)
    course_name = models.TextField(null=True)
    dept_id = models.TextField(null=True)
    lecture_hours_per_week = models.IntegerField(null=True)
    credits = models.IntegerField(null=True)
    room_type_required = models.TextField(null=True)
    min_room_capacity = models.IntegerField(null=True)
    room_features_required = models.JSONField(null=True)
    course_type = models.TextField(null=True)

    class Meta:
        db_table = "courses"


class Faculty(OfOrganization):
    faculty_id = models.TextField(primary_key=True)
    faculty_code = models.TextField(null=True)
    first_name = models.TextField(null=True)
    last_name = models.TextField(null=True)
    dept_id = models.TextField(null=True)
    max_hours_per_week = models.IntegerField(null=True)
    specialization = models.TextField(null=True)
    preferred_time_slot = models.TextField(null=True)
    research_day = models.TextField(null=True)

    class Meta:
        db_table = "faculty"


class CourseOffering(models.Model):
    offering_id = models.TextField(primary_key=True)
    course = models.ForeignKey(Course, models.CASCADE)
    primary_faculty_id = models.TextField(null=True)
    co_faculty_ids = models.JSONField(null=True)
    semester_type = models.TextField(null=True)
    academic_year = models.TextField(null=True)
    offering_status = models.TextField(db_default="SCHEDULED")
    is_active = models.BooleanField(db_default=True)

    class Meta:
        db_table = "course_offerings"


class Batch(OfOrganization):
    batch_id = models.TextField(primary_key=True)
    batch_code = models.TextField(null=True)
    batch_name = models.TextField(null=True)

    class Meta:
        db_table = "batches"


class Student(OfOrganization):
    student_id = models.TextField(primary_key=True)
    enrollment_number = models.TextField(null=True)
    first_name = models.TextField(null=True)
    last_name = models.TextField(null=True)
    dept_id = models.TextField(null=True)
    current_semester = models.IntegerField(null=True)
    batch_id = models.TextField(null=True)

    class Meta:
        db_table = "students"


class CourseEnrollment(models.Model):
    enrollment_id = models.BigAutoField(primary_key=True)
    student = models.ForeignKey(Student, models.CASCADE)
    offering = models.ForeignKey(CourseOffering, models.CASCADE)
    enrollment_status = models.TextField(db_default="ENROLLED")
    is_active = models.BooleanField(db_default=True)

    class Meta:
        db_table = "course_enrollments"


class Room(OfOrganization):
    room_id = models.TextField(primary_key=True)
    room_code = models.TextField(null=True)
    room_number = models.TextField(null=True)
    room_type = models.TextField(null=True)
    seating_capacity = models.IntegerField(null=True)
    building_id = models.TextField(null=True)
    dept_id = models.TextField(null=True)
    features = models.JSONField(null=True)
    allow_cross_department_usage = models.BooleanField(db_default=True)
    room_status = models.TextField(db_default="ACTIVE")
    is_bookable = models.BooleanField(db_default=True)

    class Meta:
        db_table = "rooms"


class TimetableConfiguration(models.Model):
    config_id = models.BigAutoField(primary_key=True)
    org = models.ForeignKey(Organization, models.CASCADE)
    academic_year = models.TextField(null=True)
    semester = models.IntegerField(null=True)
    working_days = models.IntegerField(null=True)
    slots_per_day = models.IntegerField(null=True)
    start_time = models.TimeField(null=True)
    end_time = models.TimeField(null=True)
    slot_duration_minutes = models.IntegerField(null=True)
    lunch_break_enabled = models.BooleanField(null=True)
    lunch_break_start = models.TimeField(null=True)
    lunch_break_end = models.TimeField(null=True)
    faculty_max_continuous = models.IntegerField(db_default=3)
    number_of_variants = models.IntegerField(db_default=5)
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "timetable_configurations"
