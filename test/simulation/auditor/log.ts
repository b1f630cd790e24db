import type pg from 'pg'
import { CANARY } from '../outside/merchants.ts'
import { expect, expectNone } from './expect.ts'

/** Offsets without gaps; each fact once; a firing once. The door's topic may repeat: a client may have asked twice. */
export async function auditLog(admin: pg.Client): Promise<void> {
  await expectNone(
    admin,
    'offsets have gaps',
    `select * from log.partition p left join (
       select topic, partition, count(*) as records, max("offset") as last from log.record group by 1, 2
     ) r using (topic, partition)
     where coalesce(r.records, 0) <> p.next_offset or coalesce(r.last + 1, 0) <> p.next_offset`,
  )
  await auditFacts(admin)
  await expectNone(
    admin,
    'a timer fired twice',
    `select timer_id, timer_generation from log.event where timer_id is not null group by 1, 2 having count(*) > 1`,
  )
}

/** A fact is on the log as often as its cause at most: once for each, unless a client sent its request twice. */
async function auditFacts(admin: pg.Client): Promise<void> {
  const { rows } = await admin.query('select id, causation_id as cause, type from log.event')
  const times = new Map<string, number>()
  for (const { id } of rows) times.set(id, (times.get(id) ?? 0) + 1)
  const repeated = rows.filter(({ id, cause }) => cause !== null && (times.get(id) ?? 0) > (times.get(cause) ?? 0))
  expect(repeated.length === 0, `on the log more often than its cause: ${JSON.stringify(repeated.slice(0, 5))}`)
}

/** No text that a client meant for nobody else lies in a table as it came. */
export async function auditCanaries(admin: pg.Client): Promise<void> {
  const { rows: tables } = await admin.query({
    name: 'simulation.tables',
    text: `select format('%I.%I', schemaname, tablename) as name from pg_tables
      where schemaname not in ('pg_catalog', 'information_schema', 'millrace', 'probe')`,
  })
  const texts = tables.map(
    ({ name }) =>
      `select '${name}' as name from ${name} t where t::text like '%${CANARY}%' or t::text like '%pm_sim_%'`,
  )
  await expectNone(admin, 'personal data in clear', texts.join(' union all '))
}

/** Retried keys are empty again, nothing waits that should have gone, and no lease hides work. */
export async function auditDrained(admin: pg.Client): Promise<void> {
  await expectNone(admin, 'still parked', 'select grp, key from log.parked_key')
  await expectNone(admin, 'still parked', 'select grp, key from log.parked')
  await expectNone(
    admin,
    'a head of nothing',
    `select h.* from delivery.head h join delivery.delivery d on d.id = h.delivery_id where d.state = 'done'`,
  )
  await expectNone(
    admin,
    'deliveries are left, with nothing held before them',
    `select id from delivery.delivery d where state = 'pending' and not exists (
       select from delivery.delivery h
       where h.destination = d.destination and h.key = d.key and h.state = 'held' and h.sequence < d.sequence
     )`,
  )
}
