import type { Client } from 'pg'
import { CANARY } from '../load/merchant.ts'
import type { Finding, GatewayState } from './evidence.ts'
import { found } from './found.ts'

type Question = { readonly promise: string; readonly claim: string; readonly text: string }

/** Each finds what must not be: its rows are the evidence. */
const questions: readonly Question[] = [
  { promise: 'Isolated', claim: 'keys that are parked', text: 'select grp, key from log.parked_key' },
  {
    promise: 'Accepted is durable',
    claim: 'partitions with gaps',
    text: `select p.topic, p.partition, p.next_offset, count(r."offset") as records, max(r."offset") as last
      from log.partition p left join log.record r using (topic, partition)
      group by 1, 2, 3 having count(r."offset") <> p.next_offset or coalesce(max(r."offset") + 1, 0) <> p.next_offset`,
  },
  {
    promise: 'Accepted is durable',
    claim: 'events that a group has not read',
    text: `select k.grp, k.topic, k.partition, h.next_offset - k.next_offset as events from log.checkpoint k
      join log.partition h on h.topic = k.topic and h.partition = k.partition where h.next_offset <> k.next_offset`,
  },
  {
    promise: 'Accepted is durable',
    claim: 'deliveries that are not done',
    text: `select id, destination, key, state from delivery.delivery where state in ('pending', 'held')`,
  },
  {
    promise: 'Accepted is durable',
    claim: 'timers that have not fired',
    text: 'select id, due_at from log.timer where fired_at is null',
  },
  {
    promise: 'Once',
    claim: 'timers that fired twice',
    text: `select event::json ->> 'timer_id' as timer, count(*) from log.record where topic like '%.timers'
      group by event::json ->> 'timer_id', event::json ->> 'timer_generation' having count(*) > 1`,
  },
  {
    promise: 'Balanced',
    claim: 'currencies whose postings do not add up to zero',
    text: 'select currency, sum(amount) from ledger.posting group by 1 having sum(amount) <> 0',
  },
  {
    promise: 'Balanced',
    claim: 'entries without their fact, or facts without their entry',
    text: `select e.id, told.entry from ledger.entry e
      full join (select event::json -> 'data' ->> 'entry' as entry from log.record where type = 'ledger.entry_posted') told
        on told.entry = e.id
      where e.id is null or told.entry is null`,
  },
  {
    promise: 'Replayable',
    claim: 'balances that differ from the log folded anew',
    text: `select * from (
        select p ->> 'account' as account, p ->> 'currency' as currency, sum((p ->> 'amount')::numeric) as told,
          count(*) as entries
        from log.record r cross join lateral json_array_elements(r.event::json -> 'data' -> 'postings') p
        where r.type = 'ledger.entry_posted' group by 1, 2
      ) t full join (
        select account, currency, sum(debit) - sum(credit) as kept, sum(entries) as entries from ledger.balance group by 1, 2
      ) b using (account, currency)
      where t.told is distinct from b.kept or t.entries is distinct from b.entries`,
  },
]

/** Asks about the whole database at once. */
export async function askAboutAll(database: Client): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const { promise, claim, text } of questions) {
    const { rows } = await database.query(text)
    findings.push(...found(promise, claim, rows.map(shown)))
  }
  const { rows: tables } = await database.query<{ name: string }>(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables
     where schemaname not in ('pg_catalog', 'information_schema')`,
  )
  for (const { name } of tables) {
    const { rows } = await database.query<{ n: number }>(
      `select count(*)::int as n from ${name} t where t::text like '%${CANARY}%' or t::text like '%pm\\_sim\\_%'`,
    )
    if (rows[0]?.n) findings.push(...found('Private', `personal data in clear in ${name}`, [`${rows[0].n} rows`]))
  }
  return findings
}

/** What the ledger says that the gateway owes us, against what the gateway says, by currency. */
export async function askAboutGateway(database: Client, { balances, givenUp }: GatewayState): Promise<Finding[]> {
  const { rows } = await database.query<{ currency: string; owed: string }>(
    `select currency, sum(amount) as owed from ledger.posting where account = 'gateway:acquirer:receivable' group by 1`,
  )
  const ours = new Map(rows.map(({ currency, owed }) => [currency, Number(owed)]))
  const wrong = [...new Set([...ours.keys(), ...Object.keys(balances)])]
    .map((currency) => ({ currency, owed: ours.get(currency) ?? 0, held: balances[currency] ?? 0 }))
    .filter(({ owed, held }) => owed !== held)
    .map(({ currency, owed, held }) => `${currency}: ${owed} in the ledger, ${held} at the gateway`)
  return [
    ...found('Balanced', 'currencies in which the gateway owes something else', wrong),
    ...found('Accepted is durable', 'webhooks that the gateway gave up', givenUp > 0 ? [String(givenUp)] : []),
  ]
}

function shown(row: Readonly<Record<string, unknown>>): string {
  return Object.entries(row)
    .map(([name, value]) => `${name} ${value instanceof Date ? value.toISOString() : String(value)}`)
    .join(', ')
}
