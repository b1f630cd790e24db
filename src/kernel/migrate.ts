import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { type Database, statement, type Tx } from './database.ts'
import { UsageError } from './errors.ts'

/** A schema with the numbered SQL files that make it. */
export type Schema = {
  readonly name: string
  readonly migrations: URL
  /** Owner of the tables' contents: a module's role. */
  readonly role?: string
  /** Roles that may call its functions (which run as their owner), and touch nothing else of it. */
  readonly opensTo?: readonly string[]
}

/** Any constant serves, as long as every Millrace process uses the same. */
const LOCK = 7_240_611

const BOOKKEEPING = `create schema if not exists millrace;
   create table if not exists millrace.migration (
     schema text not null, file text not null, checksum text not null, applied_at timestamptz not null default now(),
     primary key (schema, file))`
const APPLIED = statement('migrate.applied', 'select file, checksum from millrace.migration where schema = $1')
const RECORD = statement(
  'migrate.record',
  'insert into millrace.migration (schema, file, checksum) values ($1, $2, $3)',
)
const LOCK_OUT = statement('migrate.lock', 'select pg_advisory_xact_lock($1)')

/**
 * Brings every schema up to date, in one transaction: all of it or nothing. Two processes that start
 * at once take turns. `isWanted` stops on the way, at the tables of an earlier version.
 * @throws UsageError when a file that has been applied was changed since, or the user may not create roles.
 */
export async function migrate(
  database: Database,
  schemas: readonly Schema[],
  isWanted: (schema: string, file: string) => boolean = () => true,
): Promise<void> {
  await database.transaction({ timeoutMs: 60_000, lockTimeoutMs: 60_000 }, async (tx) => {
    await tx.query(LOCK_OUT, [LOCK])
    await tx.script(BOOKKEEPING)
    for (const schema of schemas) await migrateSchema(tx, schema, isWanted)
    for (const { name, opensTo = [] } of schemas) {
      if (opensTo.length > 0) await tx.script(`grant usage on schema ${name} to ${opensTo.join(', ')}`)
    }
  })
}

/** The files of the schemas, in the order in which they are applied. */
export function migrationsOf(schemas: readonly Schema[]): Migration[] {
  return schemas.flatMap(({ name, migrations }) =>
    readdirSync(migrations)
      .filter((entry) => entry.endsWith('.sql'))
      .sort()
      .map((file) => {
        const text = readFileSync(new URL(file, migrations), 'utf8')
        return { schema: name, file, text, checksum: createHash('sha256').update(text).digest('hex') }
      }),
  )
}

type Migration = { readonly schema: string; readonly file: string; readonly text: string; readonly checksum: string }

async function migrateSchema(
  tx: Tx,
  schema: Schema,
  isWanted: (schema: string, file: string) => boolean,
): Promise<void> {
  const { name, role } = schema
  await tx.script(`create schema if not exists ${name}`)
  if (role !== undefined) await createRole(tx, role)

  const rows = await tx.query<{ file: string; checksum: string }>(APPLIED, [name])
  const applied = new Map(rows.map(({ file, checksum }) => [file, checksum]))
  for (const { file, text, checksum } of migrationsOf([schema]).filter(({ file }) => isWanted(name, file))) {
    const earlier = applied.get(file)
    if (earlier === checksum) continue
    if (earlier !== undefined) throw new UsageError(`migration ${name}/${file} was changed after it was applied`)
    await tx.script(text)
    await tx.query(RECORD, [name, file, checksum])
  }
  if (role !== undefined) await grant(tx, name, role)
}

/** Roles belong to the whole server: another database of it may have made them already. */
async function createRole(tx: Tx, role: string): Promise<void> {
  await tx.script(
    `do $$ begin
       if not exists (select from pg_roles where rolname = '${role}') then create role ${role} nologin; end if;
       if not pg_has_role(current_user, '${role}', 'set') then grant ${role} to current_user; end if;
     exception when duplicate_object or unique_violation then null;
     end $$`,
  )
}

async function grant(tx: Tx, schema: string, role: string): Promise<void> {
  await tx.script(
    `grant usage on schema ${schema} to ${role};
     grant select, insert, update, delete on all tables in schema ${schema} to ${role};
     grant usage on all sequences in schema ${schema} to ${role};
     grant execute on all functions in schema ${schema} to ${role}`,
  )
}
