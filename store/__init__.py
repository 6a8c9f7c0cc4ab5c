"""Everything that is kept: schema, migrations, writer, queries. SQLite by default, PostgreSQL where one machine is not enough."""
