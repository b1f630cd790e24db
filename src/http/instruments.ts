import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { AttemptReport } from '#delivery'
import type { SpanCounts } from '#kernel/telemetry-otlp'
import { entryPosted } from '#ledger/events'
import type { EventType, Lag, LoopReport, NewEvent } from '#log'
import * as payments from '#payments/events'
import type { SpoolStatus } from '#spool'

export type Instruments = ReturnType<typeof createInstruments>

/** An amount that is counted, not booked: metrics are floats, and the books never read them. */
export type Waiting = { readonly group: string; readonly currency: string; readonly amount: bigint }

export type InstrumentPorts = {
  /** What became of the spans, where there are any. */
  readonly spans?: { counts(): SpanCounts }
  /** What waits on this process's disk, asked at every scrape. */
  readonly spool?: () => SpoolStatus
  /** Money that the ledger has not posted yet, asked at every scrape. */
  readonly waiting?: () => Promise<readonly Waiting[]>
}

const acceptBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]
/** Up to the three days for which a receiver may be away. */
const deliveryBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 3_600, 86_400, 259_200]

/** What the platform counts. Labels are names out of the code and the configuration, never ids. */
export function createInstruments(registry: Registry, ports: InstrumentPorts = {}) {
  const of = <Label extends string>(name: string, help: string, labelNames: readonly Label[]) => ({
    name: `millrace_${name}`,
    help,
    labelNames: [...labelNames],
    registers: [registry],
  })
  const accepted = new Counter(
    of('accepted_total', 'Requests and webhooks at the door, by what came of them', ['kind', 'outcome']),
  )
  const acceptSeconds = new Histogram({
    ...of('accept_seconds', 'From a request or webhook at the door to its commit on the log', ['kind']),
    buckets: acceptBuckets,
  })
  const handled = new Counter(of('handled_events_total', 'Events handled', ['group']))
  const parked = new Counter(of('parked_events_total', 'Events parked as poison', ['group']))
  const faults = new Counter(
    of('faults_total', 'Batches that failed through no fault of an event, and were tried again', ['group']),
  )
  const stopped = new Counter(
    of('stopped_partitions_total', 'Partitions that met an event of a newer version', ['group']),
  )
  const halted = new Gauge(of('halted', '1 where a group parked so much that it stopped', ['group']))
  const lagEvents = new Gauge(of('lag_events', 'Events a group has not read yet', ['group']))
  const lagSeconds = new Gauge(of('lag_seconds', 'Age of the oldest event a group has not read yet', ['group']))
  const decided = new Counter(
    of('payments_decided_total', 'Decisions on payments, by the status or movement decided', ['status']),
  )
  const posted = new Counter(of('posted_entries_total', 'Entries booked in the ledger', ['purpose']))
  const postedMoney = new Counter(
    of('posted_minor_units_total', 'Money debited by entries booked, in minor units of its currency', ['currency']),
  )
  const attemptSeconds = new Histogram({
    ...of('delivery_attempt_seconds', 'How long a call to the outside took, by the kind of its destination', [
      'destination',
      'outcome',
    ]),
    buckets: deliveryBuckets,
  })
  const deliverySeconds = new Histogram({
    ...of('delivery_seconds', 'From the first attempt of a delivery to the one that ended it', [
      'destination',
      'outcome',
    ]),
    buckets: deliveryBuckets,
  })
  lagMoney(of('lag_minor_units', 'Money a group has not posted yet, in minor units', ['group', 'currency']), ports)
  spoolGauges(of, ports)
  spansTotal(
    of('spans_total', 'Spans, by how far they came; recorded and neither exported nor failed: waiting, or dropped', [
      'stage',
    ]),
    ports,
  )

  const counters = { parked, fault: faults, partition_stopped: stopped }

  return {
    registry,
    accepted(kind: 'payment' | 'operation' | 'webhook', outcome: string, ms: number): void {
      accepted.inc({ kind, outcome })
      acceptSeconds.observe({ kind }, ms / 1000)
    },
    report(report: LoopReport): void {
      const { group } = report
      switch (report.kind) {
        case 'handled':
          handled.inc({ group }, report.events)
          for (const [status, count] of countsOf(report.published, statusOf)) decided.inc({ status }, count)
          for (const [purpose, count] of countsOf(report.published, purposeOf)) posted.inc({ purpose }, count)
          for (const [currency, amount] of debits(report.published)) postedMoney.inc({ currency }, Number(amount))
          break
        case 'halted':
          halted.set({ group }, 1)
          break
        default:
          counters[report.kind].inc({ group })
      }
    },
    attempted({ group, outcome, ms, sinceFirstMs }: AttemptReport): void {
      const labels = { destination: destinationKind(group), outcome }
      attemptSeconds.observe(labels, ms / 1000)
      if (outcome !== 'retry') deliverySeconds.observe(labels, sinceFirstMs / 1000)
    },
    lag(groups: readonly Lag[]): void {
      for (const { group, events, seconds } of groups) {
        lagEvents.set({ group }, Number(events))
        lagSeconds.set({ group }, seconds)
      }
    },
  }
}

/** A group that delivers is named `delivery:<kind>`, or `delivery:<kind>:<which>`. */
function destinationKind(group: string): string {
  return group.split(':')[1] ?? group
}

/** A count of the process's own, as a counter or gauge that is read when it is asked for. */
function spoolGauges(
  of: (name: string, help: string, labelNames: readonly never[]) => Named<never>,
  ports: InstrumentPorts,
) {
  const spool = (read: (status: SpoolStatus) => number): number => (ports.spool ? read(ports.spool()) : 0)
  const gauge = (name: string, help: string, read: (status: SpoolStatus) => number): void => {
    const made: Gauge = new Gauge({ ...of(name, help, []), collect: () => made.set(spool(read)) })
  }
  const counter = (name: string, help: string, read: (status: SpoolStatus) => number): void => {
    let told = 0
    const made: Counter = new Counter({
      ...of(name, help, []),
      collect() {
        made.inc(spool(read) - told)
        told = spool(read)
      },
    })
  }
  gauge('spool_events', 'Events that wait in the spool for the log', ({ events }) => events)
  gauge('spool_bytes', 'Bytes of them on the disk', ({ bytes }) => bytes)
  gauge('spool_oldest_seconds', 'Age of the oldest of them, 0 when none waits', ({ oldestSeconds }) => oldestSeconds)
  gauge(
    'spool_corrupt',
    'Rows and files of the spool that were set aside, for a person to look at',
    ({ corrupt }) => corrupt,
  )
  counter('spool_spooled_total', 'Events that the spool took', ({ spooled }) => spooled)
  counter('spool_drained_total', 'Events that the log took from the spool', ({ drained }) => drained)
  counter('spool_refused_total', 'Requests that neither the log nor the spool could take', ({ refused }) => refused)
}

type Named<Label extends string> = { name: string; help: string; labelNames: Label[]; registers: Registry[] }

function lagMoney(named: Named<'group' | 'currency'>, { waiting }: InstrumentPorts): void {
  const gauge = new Gauge({
    ...named,
    async collect() {
      // With the database away the last that was known is told.
      const sums = await waiting?.().catch(() => undefined)
      if (sums === undefined) return
      gauge.reset()
      for (const { group, currency, amount } of sums) gauge.set({ group, currency }, Number(amount))
    },
  })
}

function spansTotal(named: Named<'stage'>, { spans }: InstrumentPorts): void {
  const told = new Map<string, number>()
  const counter = new Counter({
    ...named,
    collect() {
      for (const [stage, count] of Object.entries(spans?.counts() ?? {})) {
        counter.inc({ stage }, count - (told.get(stage) ?? 0))
        told.set(stage, count)
      }
    },
  })
}

function countsOf(facts: readonly NewEvent[], labelOf: (fact: NewEvent) => string | undefined): Map<string, number> {
  const counts = new Map<string, number>()
  for (const fact of facts) {
    const label = labelOf(fact)
    if (label !== undefined) counts.set(label, (counts.get(label) ?? 0) + 1)
  }
  return counts
}

const statuses: ReadonlyMap<EventType, string> = new Map<EventType, string>([
  [payments.paymentCreated, 'created'],
  [payments.paymentRejected, 'rejected'],
  [payments.paymentCaptured, 'captured'],
  [payments.paymentRefunded, 'refunded'],
  [payments.paymentDisputed, 'disputed'],
  [payments.paymentDisputeReinstated, 'dispute_reinstated'],
  [payments.paymentDisputeLost, 'dispute_lost'],
])

function statusOf(fact: NewEvent): string | undefined {
  return isOf(fact, payments.paymentStatusChanged) ? fact.data.to : statuses.get(fact.of)
}

function purposeOf(fact: NewEvent): string | undefined {
  return isOf(fact, entryPosted) ? fact.data.purpose : undefined
}

function debits(facts: readonly NewEvent[]): Map<string, bigint> {
  const sums = new Map<string, bigint>()
  for (const fact of facts) {
    if (!isOf(fact, entryPosted)) continue
    for (const { amount, currency } of fact.data.postings) {
      if (!amount.startsWith('-')) sums.set(currency, (sums.get(currency) ?? 0n) + BigInt(amount))
    }
  }
  return sums
}

/** What was published was checked against the type's schema. */
function isOf<Data>(fact: NewEvent, of: EventType<string, Data>): fact is NewEvent & { readonly data: Data } {
  return fact.of === of
}
