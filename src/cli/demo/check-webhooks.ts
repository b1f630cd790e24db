import type { CorpusSent } from './corpus.ts'
import type { Heard } from './endpoint.ts'
import { compare, type Section } from './findings.ts'
import type { EventsOf } from './sql.ts'
import { ACQUIRER, SHOP, type Stage } from './stage.ts'
import type { Carried } from './webhooks.ts'

/** What the gateways told us. */
export function inboundSection(
  { acquirer }: Stage,
  carried: Carried,
  corpus: CorpusSent | undefined,
  eventsOf: EventsOf,
): Section {
  const shop = eventsOf('gateway.event_received', SHOP)
  const ours = eventsOf('gateway.event_received', ACQUIRER)
  const { sent, delivered, retried } = acquirer.counts()
  return {
    title: 'Webhooks from the gateways',
    findings: [
      compare('shuffled, late and repeated: accepted', shop.events, carried.accepted),
      compare('  of them different', shop.different, carried.different),
      compare('  refused', carried.sent - carried.accepted, 0),
      compare('of our own payments: accepted', ours.events, delivered),
      compare('  of them different', ours.different, acquirer.events().length),
      compare('  never accepted', sent - retried - delivered, 0),
      ...(corpus === undefined ? [] : [compare('recorded Stripe events accepted', corpus.accepted, corpus.sent)]),
    ],
  }
}

type Told = readonly { readonly key: string; readonly ids: readonly string[] }[]

/** What we told a merchant, by the merchant's own count. */
export function heardSection({ tally, pulled, lastSequence, awayMs }: Heard, log: Told, eventsOf: EventsOf): Section {
  const { different, repeated, changed, failed, forged } = tally.counts()
  const heard = tally.told()
  const unlike = log.filter(({ key, ids }) => ids.join() !== heard.get(key)?.join())
  return {
    title: 'Webhooks to a server that fails and restarts',
    findings: [
      compare('facts of payments and payouts, each told once', sum(log.map(({ ids }) => ids.length)), different),
      compare('  of so many payments and payouts', log.length, heard.size),
      compare('  last sequence', lastSequence, tally.highest()),
      compare('  sequences missing', tally.missing(lastSequence).length, 0),
      compare('payments and payouts told out of order', unlike.length, 0),
      compare('messages that came again with other content', changed, 0),
      compare('signatures that do not verify', forged, 0),
      compare('given up, and pulled instead', eventsOf('webhook.delivery_abandoned').events, pulled),
    ],
    notes: [
      `${failed} calls were answered with an error: every tenth; for ${(awayMs / 1000).toFixed(1)} s nobody answered;`,
      `${repeated} messages came again after an answer that was lost`,
    ],
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
