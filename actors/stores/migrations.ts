/** How a peer database of any earlier version becomes one of the present: all steps in one transaction, so that there is no version in between. */
import type Database from 'better-sqlite3';

/** Marks the file as ours (SQLite's application id): "TRUP". */
export const applicationId = 0x54_52_55_50;

/** The statements that bring a database from the version that is their index to the next. */
export type Migrations = readonly (readonly string[])[];

export const migrations: Migrations = [
  [
    'CREATE TABLE peers (id TEXT PRIMARY KEY NOT NULL, row TEXT NOT NULL, checksum BLOB NOT NULL) STRICT, WITHOUT ROWID',
    `PRAGMA application_id = ${applicationId}`,
  ],
];

/** Version of the schema that this code writes. */
export const schemaVersion = migrations.length;

/** Brings the database to the version that these steps end in; a later one stays as it is. */
export function migrate(db: Database.Database, steps: Migrations = migrations): void {
  const from = db.pragma('user_version', { simple: true }) as number;
  if (from >= steps.length) return;
  db.transaction(() => {
    for (const statement of steps.slice(from).flat()) db.exec(statement);
    db.exec(`PRAGMA user_version = ${steps.length}`);
  }).immediate();
}
