import type { Client } from 'pg'
import type { KnownOperation, KnownPayment, LoggedFacts, TracedEntry } from './evidence.ts'

/** Every payment as its module has it, with the objects placed on it and what the ledger booked. */
export async function knownPayments(database: Client): Promise<Map<string, KnownPayment>> {
  const { rows } = await database.query<KnownPayment>(
    `select p.id, p.fingerprint is not null as "isOurs", p.status, coalesce(o.intents, '{}') as intents, coalesce(e.captured, 0)::float8 as captured,
       coalesce(e.refunded, 0)::float8 as refunded
     from payments.payment p
     left join (
       select payment, array_agg(object_id) as intents from gateways.object where object_id like 'pi\\_%' group by 1
     ) o on o.payment = p.id
     left join (
       select split_part(source, '/', 1) as payment, sum(amounts[1]) filter (where purpose = 'capture') as captured,
         sum(amounts[1]) filter (where purpose = 'refund') as refunded
       from ledger.entry group by 1
     ) e on e.payment = p.id`,
  )
  return new Map(rows.map((payment) => [payment.id, payment]))
}

/** The last that the log says of each operation. */
export async function knownOperations(database: Client): Promise<Map<string, KnownOperation>> {
  const { rows } = await database.query<KnownOperation>(
    `select distinct on (id) id, payment, call, status from (
       select key as payment, "offset", e.data ->> 'operation' as id, e.data ->> 'call' as call, e.data ->> 'status' as status
       from log.record cross join lateral (select event::json -> 'data' as data) e
       where topic = 'payments' and type = 'payment.operation_changed'
     ) changes order by id, "offset" desc`,
  )
  return new Map(rows.map((operation) => [operation.id, operation]))
}

/** The facts of each payment in the order of the log. An id may be there twice: who asks twice is told so twice. */
export async function loggedFacts(database: Client): Promise<LoggedFacts> {
  const { rows } = await database.query<{ key: string; ids: string[]; types: string[] }>(
    `select key, array_agg(event::json ->> 'id' order by "offset") as ids, array_agg(type order by "offset") as types
     from log.record where topic = 'payments' group by key`,
  )
  return new Map(rows.map(({ key, ids, types }) => [key, ids.map((id, place) => ({ id, type: types[place] ?? '' }))]))
}

export async function lastSequence(database: Client, endpoint: string): Promise<number> {
  const { rows } = await database.query<{ last: number }>(
    'select (next_sequence - 1)::int as last from webhooks.position where endpoint = $1',
    [endpoint],
  )
  return rows[0]?.last ?? 0
}

type Link = { readonly id: string; readonly type: string; readonly cause: string | null; readonly traceparent: string }

const LINK = `type, event::json ->> 'id' as id, event::json ->> 'causation_id' as cause,
  event::json ->> 'traceparent' as traceparent`

/** Some entries, by chance but the same for the same books, each with its way back. */
export async function tracedEntries(database: Client, count: number): Promise<TracedEntry[]> {
  const { rows: entries } = await database.query<{
    id: string
    payment: string
    event_id: string
    traceparent: string
  }>(
    `select id, split_part(source, '/', 1) as payment, event_id, traceparent from ledger.entry
     where source like 'pay\\_%' order by md5(id) limit $1`,
    [count],
  )
  const { rows } = await database.query<Link>(`select ${LINK} from log.record where key = any ($1) order by position`, [
    entries.map(({ payment }) => payment),
  ])
  const links = firsts(rows)
  // What a gateway said has another key: it is found by its id.
  const causes = rows.flatMap(({ cause }) => (cause !== null && !links.has(cause) ? [cause] : []))
  const { rows: roots } = await database.query<Link>(
    `select ${LINK} from log.record where topic = 'gateway.inbox' and event::json ->> 'id' = any ($1) order by position`,
    [causes],
  )
  for (const [id, link] of firsts(roots)) links.set(id, link)
  return entries.map(({ id, payment, event_id, traceparent }) => ({
    entry: id,
    payment,
    traceId: traceOf(traceparent),
    chain: wayBack(event_id, links).map(({ type, cause, traceparent: parent }) => ({
      type,
      traceId: traceOf(parent),
      hasCause: cause !== null,
    })),
  }))
}

/** What came twice was handled the first time; the second request, of a gateway that was not answered, is a trace of its own. */
function firsts(links: readonly Link[]): Map<string, Link> {
  return new Map(links.toReversed().map((link) => [link.id, link]))
}

function wayBack(from: string, links: ReadonlyMap<string, Link>): Link[] {
  const chain: Link[] = []
  for (let next = links.get(from); next !== undefined; next = next.cause === null ? undefined : links.get(next.cause)) {
    chain.push(next)
  }
  return chain
}

function traceOf(traceparent: string): string {
  return traceparent.split('-')[1] ?? ''
}
