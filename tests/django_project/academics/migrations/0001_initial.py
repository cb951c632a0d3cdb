"""The tables as they are."""

import uuid

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Course",
            fields=[
                ("is_active", models.BooleanField(db_default=True)),
                ("course_id", models.TextField(primary_key=True, serialize=False)),
                ("course_code", models.TextField(null=True)),
                ("course_name", models.TextField(null=True)),
                ("dept_id", models.TextField(null=True)),
                ("lecture_hours_per_week", models.IntegerField(null=True)),
                ("credits", models.IntegerField(null=True)),
                ("room_type_required", models.TextField(null=True)),
                ("min_room_capacity", models.IntegerField(null=True)),
                ("room_features_required", models.JSONField(null=True)),
                ("course_type", models.TextField(null=True)),
            ],
            options={
                "db_table": "courses",
            },
        ),
        migrations.CreateModel(
            name="GenerationJob",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, primary_key=True, serialize=False)),
                ("status", models.CharField(default="pending", max_length=20)),
                ("progress", models.IntegerField(default=0)),
                ("timetable_data", models.JSONField(null=True)),
                ("error_message", models.TextField(null=True)),
                ("academic_year", models.CharField(max_length=20)),
                ("semester", models.IntegerField()),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("completed_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "generation_jobs",
            },
        ),
        migrations.CreateModel(
            name="Organization",
            fields=[
                ("org_id", models.UUIDField(primary_key=True, serialize=False)),
                ("org_name", models.TextField()),
                ("is_active", models.BooleanField(db_default=True)),
            ],
            options={
                "db_table": "organizations",
            },
        ),
        migrations.CreateModel(
            name="CourseOffering",
            fields=[
                ("offering_id", models.TextField(primary_key=True, serialize=False)),
                ("primary_faculty_id", models.TextField(null=True)),
                ("co_faculty_ids", models.JSONField(null=True)),
                ("semester_type", models.TextField(null=True)),
                ("academic_year", models.TextField(null=True)),
                ("offering_status", models.TextField(db_default="SCHEDULED")),
                ("is_active", models.BooleanField(db_default=True)),
                ("course", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="academics.course")),
            ],
            options={
                "db_table": "course_offerings",
            },
        ),
        migrations.CreateModel(
            name="Faculty",
            fields=[
                ("is_active", models.BooleanField(db_default=True)),
                ("faculty_id", models.TextField(primary_key=True, serialize=False)),
                ("faculty_code", models.TextField(null=True)),
                ("first_name", models.TextField(null=True)),
                ("last_name", models.TextField(null=True)),
                ("dept_id", models.TextField(null=True)),
                ("max_hours_per_week", models.IntegerField(null=True)),
                ("specialization", models.TextField(null=True)),
                ("preferred_time_slot", models.TextField(null=True)),
                ("research_day", models.TextField(null=True)),
                ("org", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="academics.organization")),
            ],
            options={
                "db_table": "faculty",
            },
        ),
        migrations.AddField(
            model_name="course",
            name="org",
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="academics.organization"),
        ),
        migrations.CreateModel(
            name="Room",
            fields=[
                ("is_active", models.BooleanField(db_default=True)),
                ("room_id", models.TextField(primary_key=True, serialize=False)),
                ("room_code", models.TextField(null=True)),
                ("room_number", models.TextField(null=True)),
                ("room_type", models.TextField(null=True)),
                ("seating_capacity", models.IntegerField(null=True)),
                ("building_id", models.TextField(null=True)),
                ("dept_id", models.TextField(null=True)),
                ("features", models.JSONField(null=True)),
                ("allow_cross_department_usage", models.BooleanField(db_default=True)),
                ("room_status", models.TextField(db_default="ACTIVE")),
                ("is_bookable", models.BooleanField(db_default=True)),
                ("org", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="academics.organization")),
            ],
            options={
                "db_table": "rooms",
            },
        ),
        migrations.CreateModel(
            name="Student",
            fields=[
                ("is_active", models.BooleanField(db_default=True)),
                ("student_id", models.TextField(primary_key=True, serialize=False)),
                ("enrollment_number", models.TextField(null=True)),
                ("first_name", models.TextField(null=True)),
                ("last_name", models.TextField(null=True)),
                ("dept_id", models.TextField(null=True)),
                ("current_semester", models.IntegerField(null=True)),
                ("org", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="academics.organization")),
            ],
            options={
                "db_table": "students",
            },
        ),
        migrations.CreateModel(
            name="CourseEnrollment",
            fields=[
                ("enrollment_id", models.BigAutoField(primary_key=True, serialize=False)),
                ("enrollment_status", models.TextField(db_default="ENROLLED")),
                ("is_active", models.BooleanField(db_default=True)),
                (
                    "offering",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="academics.courseoffering"),
                ),
                ("student", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="academics.student")),
            ],
            options={
                "db_table": "course_enrollments",
            },
        ),
        migrations.CreateModel(
            name="Timetable",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.TextField()),
                ("is_active", models.BooleanField(default=False)),
                ("job", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="academics.generationjob")),
            ],
            options={
                "db_table": "timetables",
            },
        ),
        migrations.CreateModel(
            name="TimetableConfiguration",
            fields=[
                ("config_id", models.BigAutoField(primary_key=True, serialize=False)),
                ("academic_year", models.TextField(null=True)),
                ("semester", models.IntegerField(null=True)),
                ("working_days", models.IntegerField(null=True)),
                ("slots_per_day", models.IntegerField(null=True)),
                ("start_time", models.TimeField(null=True)),
                ("end_time", models.TimeField(null=True)),
                ("slot_duration_minutes", models.IntegerField(null=True)),
                ("lunch_break_enabled", models.BooleanField(null=True)),
                ("lunch_break_start", models.TimeField(null=True)),
                ("lunch_break_end", models.TimeField(null=True)),
                ("faculty_max_continuous", models.IntegerField(db_default=3)),
                ("number_of_variants", models.IntegerField(db_default=5)),
                ("last_used_at", models.DateTimeField(null=True)),
                ("org", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="academics.organization")),
            ],
            options={
                "db_table": "timetable_configurations",
            },
        ),
        migrations.CreateModel(
            name="TimetableSlot",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.CharField(max_length=10)),
                ("start_time", models.TimeField()),
                ("end_time", models.TimeField()),
                ("subject_id", models.TextField()),
                ("faculty_id", models.TextField(null=True)),
                ("classroom_id", models.TextField(null=True)),
                ("timetable", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="academics.timetable")),
            ],
            options={
                "db_table": "timetable_slots",
            },
        ),
    ]
