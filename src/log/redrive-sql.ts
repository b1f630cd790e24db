import { type Database, statement, type Tx } from '#kernel/database'
import type { ParkedEvent } from './parked.ts'

const PARKED_PARTITION = statement(
  'log.parked_partition',
  'select partition from log.parked_key where grp = $1 and key = $2',
)
const LOCK = statement(
  'log.lock_parked',
  'select 1 from log.checkpoint where grp = $1 and partition = $2 order by topic for update',
)
/**
 * Takes the lock under which a group's batches, retries and parking run, whoever has the lease: nothing of the key moves
 * until the commit. What is read has to be read after it, in a statement of its own. False where the key is not parked.
 */
export async function lockParked(tx: Tx, group: string, key: string): Promise<boolean> {
  const [parked] = await tx.query<{ partition: number }>(PARKED_PARTITION, [group, key])
  if (parked) await tx.query(LOCK, [group, parked.partition])
  return parked !== undefined
}

const KEYS = statement(
  'log.parked_keys',
  `select grp as "group", key from log.parked_key
   where (grp, key) > ($3, $4) and ($1::text is null or grp = $1) and ($2::text is null or key = $2)
   order by grp, key limit 500`,
)
export type ParkedName = { readonly group: string; readonly key: string }
/** Parked keys of a group or of all, a page at a time. */
export function parkedKeysAfter(
  database: Database,
  of: { readonly group: string | null; readonly key: string | null },
  after: ParkedName,
): Promise<ParkedName[]> {
  return database.query<ParkedName>(KEYS, [of.group, of.key, after.group, after.key])
}

const ONE = statement(
  'log.parked_one',
  `select sequence, event, original, error, attempts, parked_at,
     (select count(*)::int from log.parked where grp = $1 and key = $2) as queued
   from log.parked
   where grp = $1 and key = $2 and ($3::text is null or event ->> 'id' = $3)
   order by sequence limit 1`,
)
/** A parked event, the named one or the first of its key, and how many the key has; however long its queue is. */
export async function parkedOne(tx: Tx, of: ParkedName, event: string | null) {
  return (await tx.query<ParkedEvent & { queued: number }>(ONE, [of.group, of.key, event]))[0]
}

const EDIT = statement(
  'log.edit_parked',
  `update log.parked set event = $4, original = coalesce(original, event), edits = edits + 1
   where grp = $1 and key = $2 and sequence = $3`,
)
export async function editParked(tx: Tx, of: ParkedName, sequence: bigint, event: string): Promise<void> {
  await tx.query(EDIT, [of.group, of.key, sequence, event])
}
