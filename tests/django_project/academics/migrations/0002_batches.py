from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("academics", "0001_initial")]

    operations = [
        migrations.AddField("student", "batch_id", models.TextField(null=True)),
        migrations.CreateModel(
            name="Batch",
            fields=[
                ("is_active", models.BooleanField(db_default=True)),
                ("batch_id", models.TextField(primary_key=True, serialize=False)),
                ("batch_code", models.TextField(null=True)),
                ("batch_name", models.TextField(null=True)),
                ("org", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="academics.organization")),
            ],
            options={"db_table": "batches"},
        ),
    ]
