"""
Alembic's scripts: how a store comes to its present schema, one folder per kind of store, one file per version.

To change a schema: add a file to the folder, name the one before it in `down_revision`, and call `failpoint` after each
statement; `app.store.versions` names the newest. `app/store/schema.sql` makes a new SQLite store at once, so change it
too; a test compares it with what the scripts make. Scripts are never changed afterwards, and use nothing that may
change, such as the columns of `app.store.rows`. A store is never brought back to an older version (restore a copy).
"""
