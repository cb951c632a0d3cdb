-- The platform's tables as the contract, section 8, describes them. {lists} is jsonb or text[]: both have been in use.
CREATE TABLE organizations (org_id uuid PRIMARY KEY, org_name text NOT NULL, is_active boolean DEFAULT true);
CREATE TABLE courses (
  course_id text PRIMARY KEY, org_id uuid NOT NULL REFERENCES organizations, course_code text, course_name text,
  dept_id text, lecture_hours_per_week integer, credits integer, room_type_required text, min_room_capacity integer,
  room_features_required {lists}, course_type text, is_active boolean DEFAULT true);
CREATE TABLE faculty (
  faculty_id text PRIMARY KEY, org_id uuid NOT NULL REFERENCES organizations, faculty_code text, first_name text,
  last_name text, dept_id text, max_hours_per_week integer, specialization text, preferred_time_slot text,
  research_day text, is_active boolean DEFAULT true);
CREATE TABLE course_offerings (
  offering_id text PRIMARY KEY, course_id text NOT NULL REFERENCES courses, primary_faculty_id text,
  co_faculty_ids {lists}, semester_type text, academic_year text, offering_status text DEFAULT 'SCHEDULED',
  is_active boolean DEFAULT true);
CREATE TABLE students (
  student_id text PRIMARY KEY, org_id uuid NOT NULL REFERENCES organizations, enrollment_number text, first_name text,
  last_name text, dept_id text, current_semester integer, batch_id text, is_active boolean DEFAULT true);
CREATE TABLE departments (
  dept_id text PRIMARY KEY, org_id uuid NOT NULL REFERENCES organizations, dept_code text, dept_name text);
CREATE TABLE batches (
  batch_id text PRIMARY KEY, org_id uuid NOT NULL REFERENCES organizations, batch_code text, batch_name text,
  dept_id text, current_semester integer, total_students integer, is_active boolean DEFAULT true);
CREATE TABLE course_enrollments (
  enrollment_id bigserial PRIMARY KEY, student_id text, offering_id text REFERENCES course_offerings,
  enrollment_status text DEFAULT 'ENROLLED', is_active boolean DEFAULT true);
CREATE TABLE rooms (
  room_id text PRIMARY KEY, org_id uuid NOT NULL REFERENCES organizations, room_code text, room_number text,
  room_type text, seating_capacity integer, building_id text, dept_id text, features {lists},
  allow_cross_department_usage boolean DEFAULT true, room_status text DEFAULT 'ACTIVE', is_bookable boolean DEFAULT true,
  is_active boolean DEFAULT true);
CREATE TABLE timetable_configurations (
  config_id bigserial PRIMARY KEY, org_id uuid NOT NULL REFERENCES organizations, academic_year text, semester integer,
  working_days integer, slots_per_day integer, start_time time, end_time time, slot_duration_minutes integer,
  lunch_break_enabled boolean, lunch_break_start time, lunch_break_end time, selected_departments jsonb DEFAULT '[]',
  max_classes_per_day integer DEFAULT 6, avoid_first_last_slot boolean DEFAULT false,
  faculty_max_continuous integer DEFAULT 3, minimize_faculty_travel boolean DEFAULT true,
  number_of_variants integer, optimization_priority text DEFAULT 'balanced',
  last_used_at timestamptz DEFAULT now());
CREATE INDEX ON course_enrollments (offering_id);
