import pg from 'pg'
import type { Database } from '#kernel/database'
import { openDatabase } from '#kernel/postgres-database'

/** Makes a database of this name on the server, and has it prepared. Returns its URL. */
export async function createStore(
  serverUrl: string,
  name: string,
  prepare: (database: Database) => Promise<void>,
): Promise<string> {
  const server = new pg.Client({ connectionString: serverUrl })
  await server.connect()
  await server.query(`drop database if exists ${name} with (force)`)
  await server.query(`create database ${name}`)
  await server.end()
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  const database = openDatabase({ url: url.href, connectionsMax: 2, applicationName: 'simulation' })
  await prepare(database)
  await database.close()
  return url.href
}

/** Schedules that leave their dead rows behind: to vacuum makes every session plan its statements anew. */
export const VACUUM_EVERY = 25

/** Empties the database between two schedules: deleting is a tenth of the time of creating it anew. */
export async function emptyStore(admin: pg.Client): Promise<void> {
  emptying ??= await emptyingText(admin)
  await admin.query(emptying)
  if (++emptied % VACUUM_EVERY === 0) await vacuum(admin)
}

/**
 * Throws away what was deleted, and what the server has learned from it: a plan for empty tables would be slow on full
 * ones, and one seed would meet other plans, and so rows in another order, after another history.
 */
async function vacuum(admin: pg.Client): Promise<void> {
  await admin.query('vacuum')
  await admin.query(
    `select pg_clear_relation_stats(schemaname, tablename) from pg_tables
     where schemaname not in ('pg_catalog', 'information_schema')`,
  )
}

let emptied = 0
let emptying: string | undefined

async function emptyingText(admin: pg.Client): Promise<string> {
  const { rows: tables } = await admin.query(
    `select format('delete from %I.%I', schemaname, tablename) as text from pg_tables
     where schemaname not in ('pg_catalog', 'information_schema', 'millrace')
       and (schemaname, tablename) not in (values ('log', 'topic'), ('log', 'partition'), ('log', 'lease'), ('log', 'checkpoint'))
     order by 1`,
  )
  const { rows: sequences } = await admin.query(
    `select format('select setval(%L, %s, false)', format('%I.%I', schemaname, sequencename), start_value) as text
     from pg_sequences order by 1`,
  )
  const work = [...tables, ...sequences].map(({ text }) => text).join(';\n')
  // Replica: foreign keys and guards of immutability are not for us.
  const registered = `update log.partition set next_offset = 0;
    update log.lease set owner = null, epoch = 0, expires_at = '-infinity';
    update log.checkpoint set next_offset = 0, epoch = 0`
  return `begin; set local session_replication_role = replica;\n${work};\n${registered};\ncommit`
}
