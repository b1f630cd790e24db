import { type Database, statement, type Tx } from '#kernel/database'

export type SecretRow = { readonly name: string; readonly id: string; readonly sealed: string; readonly setAt: Date }

const TAKE_TURNS = statement('secrets.take_turns', 'lock table secrets.secret in share row exclusive mode')
const ADD = statement('secrets.add', 'insert into secrets.secret (name, id, sealed, set_at) values ($1, $2, $3, $4)')
/** Returns the id of the value that was there. */
export async function replace(tx: Tx, { name, id, sealed, setAt }: SecretRow): Promise<string | undefined> {
  // Of two operators at once the second replaces what the first has set.
  await tx.query(TAKE_TURNS)
  const replaced = await remove(tx, name)
  await tx.query(ADD, [name, id, sealed, setAt])
  return replaced
}

const REMOVE = statement('secrets.remove', 'delete from secrets.secret where name = $1 returning id')
/** Returns the id of the value that was there. */
export async function remove(on: Pick<Tx, 'query'>, name: string): Promise<string | undefined> {
  const [row] = await on.query<{ id: string }>(REMOVE, [name])
  return row?.id
}

const BY_NAME = statement('secrets.by_name', 'select name, sealed from secrets.secret where name = any($1::text[])')
export function byName(database: Database, names: readonly string[]): Promise<{ name: string; sealed: string }[]> {
  return database.query(BY_NAME, [names])
}

const ALL = statement('secrets.all', 'select name, set_at from secrets.secret order by name')
export function all(database: Database): Promise<{ name: string; set_at: Date }[]> {
  return database.query(ALL)
}
