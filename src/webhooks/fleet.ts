import type { Delivery, Destination, Fleet } from '#delivery'
import type { Clock } from '#kernel/clock'
import type { Database } from '#kernel/database'
import { invariant } from '#kernel/invariant'
import type { Random } from '#kernel/random'
import { deliveryGroup, follow, type NewEvent, partitionOf } from '#log'
import { type Boxes, currentSecrets } from './box.ts'
import { type Callee, createCall, type Sent } from './call.ts'
import { deliveryAbandoned } from './events.ts'
import { createHealthKeeper, type Health } from './health.ts'
import { DESTINATIONS, destinationOf, endpointOf, sequenceOf } from './message-id.ts'
import { createRate } from './rate.ts'
import { signingKey } from './signature.ts'
import * as sql from './sql/endpoints.ts'

/** Calls to one endpoint under way at once. */
const CONCURRENCY = 64
/** One that was disabled for failing is tried this often, with what it is due. */
export const PROBE_EVERY_MS = 60 * 60 * 1000

export type FleetPorts = {
  readonly database: Database
  readonly clock: Clock
  readonly random: Random
  readonly boxes: Boxes
  readonly fetch: Parameters<typeof createCall>[0]['fetch']
}

type Known = {
  readonly destination: Destination
  set(row: sql.EndpointRow, box: Awaited<OpenBox>): void
  revision: bigint
}
type OpenBox = ReturnType<Boxes['openBox']>

/** Every endpoint as a destination, as of the last refresh: they come and go while processes run. */
export function createWebhookFleet(ports: FleetPorts) {
  const { database, boxes } = ports
  const call = createCall({ ...ports, health: createHealthKeeper(ports) })
  const known = new Map<string, Known>()

  const fleet: Fleet = {
    group: deliveryGroup(DESTINATIONS),
    names: { from: `${DESTINATIONS}/`, to: `${DESTINATIONS}0` },
    find: (name) => known.get(endpointOf(name))?.destination,
    partitionOf: (name) => partitionOf(endpointOf(name)),
  }

  return {
    fleet,
    endpoints: () => [...known.keys()],
    /** Reads what has changed. Returns whether anything has. */
    async refresh(): Promise<boolean> {
      const current = new Map((await sql.revisions(database)).map(({ id, revision }) => [id, revision]))
      const gone = [...known.keys()].filter((id) => !current.has(id))
      for (const id of gone) known.delete(id)
      const changed = [...current].filter(([id, revision]) => known.get(id)?.revision !== revision).map(([id]) => id)
      if (changed.length === 0) return gone.length > 0
      for (const row of await sql.load(database, changed)) {
        const box = await boxes.openBox(row, row.box)
        const one = known.get(row.id) ?? createKnown(row, box, call, ports)
        one.set(row, box)
        known.set(row.id, one)
      }
      return true
    },
  }
}

function createKnown(
  first: sql.EndpointRow,
  firstBox: Awaited<OpenBox>,
  call: ReturnType<typeof createCall>,
  { clock }: FleetPorts,
): Known {
  const { id, tenant, mode } = first
  let [row, box] = [first, firstBox]
  let keys = new Map<string, Buffer>()
  let probedMs = Number.NEGATIVE_INFINITY
  const rate = createRate(clock)
  const health: Health = { status: 'enabled', reason: null, failingSince: null, isNoted: false }
  const callee: Callee = {
    id,
    tenant,
    mode,
    get url() {
      return box.url
    },
    keys: () => currentSecrets(box, clock.now()).map((secret) => keys.get(secret) ?? signingKey(secret)),
    health,
  }
  const destination: Destination = {
    name: destinationOf(id),
    // Receivers tell repetitions apart by `webhook-id`.
    idempotency: { kind: 'at_least_once' },
    concurrency: CONCURRENCY,
    admits(wanted) {
      if (health.status === 'enabled') return rate.admits(wanted, row.rate_limit)
      if (health.reason !== 'failing' || clock.now() - probedMs < PROBE_EVERY_MS) return 0
      probedMs = clock.now()
      return Math.min(1, wanted)
    },
    attempt(delivery) {
      rate.went()
      return call(callee, delivery)
    },
    settle: (delivery, outcome) => (outcome.kind === 'done' ? tell(delivery, outcome.result as Sent) : []),
  }
  return {
    destination,
    revision: first.revision,
    set(next, nextBox) {
      row = next
      box = nextBox
      keys = new Map(box.secrets.map(({ value }) => [value, signingKey(value)]))
      const noted = next.failing_since?.getTime() ?? null
      const isNoted = noted !== null
      const failingSince = noted ?? (health.isNoted ? null : health.failingSince)
      Object.assign(health, { status: next.status, reason: next.reason, failingSince, isNoted })
      this.revision = next.revision
    },
  }
}

function tell(delivery: Delivery, { isAbandoned, eventId }: Sent): NewEvent[] {
  if (!isAbandoned) return []
  const { attempts, id, destination, cause } = delivery
  invariant(attempts > 0, 'what is abandoned was tried')
  const data = { sequence: sequenceOf(id), event: eventId, attempts }
  return [follow(cause, deliveryAbandoned, data, { key: endpointOf(destination), part: id })]
}
