import { startFleet } from '#delivery'
import { FetchFailure, type HttpFetch } from '#kernel/fetch'
import type { Seal } from '#kernel/seal'
import { deliveryGroup, type EventType, type Module } from '#log'
import { createAdmin } from './administer.ts'
import { createBoxes } from './box.ts'
import * as events from './events.ts'
import { type FanOutOptions, fanOut, operational } from './fan-out.ts'
import { createWebhookFleet } from './fleet.ts'
import { DESTINATIONS } from './message-id.ts'
import { runFleet } from './run.ts'

export { webhookRoutes } from './routes.ts'

/** Deliveries of an endpoint that may be open at once, unless configured. */
export const BACKLOG_DEFAULT = 10_000

/** For how long streams keep their messages, unless configured: 90 days. */
const RETENTION_DEFAULT_MS = 90 * 24 * 60 * 60_000

/** The group that deliverers of webhooks share out among processes. */
export const webhookGroup = deliveryGroup(DESTINATIONS)

export function createWebhooks(options: FanOutOptions): Module {
  const { endpointTested } = events
  return {
    name: 'webhooks',
    summary: 'Tells those who asked of what happened: signed, in order for each payment, and until it is heard.',
    events: Object.values(events),
    accepts: [endpointTested],
    deciders: [fanOut(options)],
    destinations: [DESTINATIONS],
    migrations: new URL('./migrations/', import.meta.url),
  }
}

type AdminPorts = Omit<Parameters<typeof createAdmin>[0], 'boxes' | 'types'>

/** What their owners can do with endpoints. */
export function administerWebhooks(ports: AdminPorts & { readonly seal: Seal; readonly types: readonly EventType[] }) {
  const types = [...ports.types, ...operational].map(({ type }) => type).sort()
  return createAdmin({ ...ports, boxes: createBoxes(ports.seal, ports.work), types })
}

type RunPorts = Omit<Parameters<typeof runFleet>[1], 'retentionMs'> & Parameters<typeof startFleet>[1]

/** Delivers to all endpoints whose lease this process holds. Without a network nobody is called. */
export function startWebhooks(
  ports: RunPorts & {
    readonly seal: Seal
    readonly fetch: HttpFetch | undefined
    readonly retentionMs: number | undefined
  },
): ReturnType<typeof startFleet> {
  const { database, seal, fetch = nowhere, retentionMs = RETENTION_DEFAULT_MS } = ports
  const webhooks = createWebhookFleet({ ...ports, fetch, boxes: createBoxes(seal, database) })
  const keeper = runFleet(webhooks, { ...ports, retentionMs })
  const deliverer = startFleet(webhooks.fleet, ports)
  return {
    async stop() {
      await Promise.all([keeper.stop(), deliverer.stop()])
    },
    underWay: deliverer.underWay,
  }
}

const nowhere: HttpFetch = () => Promise.reject(new FetchFailure('connect', 'address_refused'))
