import { type Database, statement } from '#kernel/database'
import { partitionOf } from '#log'

const KEYS = 512
const CHUNK = 10_000

const FILL = statement(
  'harness.fill_ledger_topic',
  `insert into log.record (topic, partition, "offset", position, time, key, type, event)
   select 'ledger', e.partition, h.next_offset + row_number() over (partition by e.partition order by e.n) - 1, e.n, log.now(), e.key,
     'ledger.entry_posted', json_build_object('version', 1, 'id', 'evt_' || e.n, 'tenant', 'main', 'mode', 'test',
       'traceparent', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', 'causation_id', null,
       'correlation_id', 'evt_' || e.n, 'data', json_build_object('entry', 'ent_' || e.n, 'source', e.key || '/' || e.n,
         'purpose', 'capture', 'effectiveAt', 0, 'postings', json_build_array(
           json_build_object('account', 'gateway:acme:receivable', 'amount', (e.n % 1000)::text, 'currency', 'EUR'),
           json_build_object('account', 'merchant:mer_' || e.n % $4 || ':payable', 'amount', (-(e.n % 1000))::text,
             'currency', 'EUR'))))::text
   from (
     select n, ($2::text[])[n % $5 + 1] as key, ($3::int[])[n % $5 + 1] as partition from generate_series($1::int, $6::int) n
   ) e
   join log.partition h on h.topic = 'ledger' and h.partition = e.partition`,
)
const MOVE_HEADS = statement(
  'harness.move_heads',
  `update log.partition h set next_offset = coalesce(
     (select max("offset") + 1 from log.record r where r.topic = h.topic and r.partition = h.partition), 0)`,
)
const PASS = statement(
  'harness.pass',
  `update log.checkpoint k set next_offset = h.next_offset
   from log.partition h where h.topic = k.topic and h.partition = k.partition and k.topic = 'ledger'`,
)

/** Entries on an empty log, which all who read them have passed, and of which they hold nothing: projections gone wholly wrong. */
export async function fillLedgerTopic(database: Database, count: number, accounts = 500): Promise<void> {
  const keys = Array.from({ length: KEYS }, (_, n) => `pay_${n}`)
  const partitions = keys.map((key) => partitionOf(key))
  for (let first = 1; first <= count; first += CHUNK) {
    const last = Math.min(count, first + CHUNK - 1)
    await database.transaction({ timeoutMs: 0 }, async (tx) => {
      await tx.query(FILL, [first, keys, partitions, accounts, KEYS, last])
      await tx.query(MOVE_HEADS)
      await tx.query(PASS)
    })
  }
}
