import type { Clock } from '#kernel/clock'
import type { Wakeups } from '#log'
import { type CatchUpPorts, catchUp } from './catch-up.ts'
import type { createWebhookFleet } from './fleet.ts'
import { destinationOf } from './message-id.ts'
import { dropOldMessages } from './retention.ts'
import * as endpoints from './sql/endpoints.ts'
import { behind, streams } from './sql/messages.ts'

/** Changes of endpoints wake by this name: in this process at once, in others through NOTIFY. */
export const ENDPOINTS_CHANGED = 'webhooks:endpoints'
/** How often what is old is looked for. */
const DROP_MS = 10 * 60_000
/** Endpoints that were changed elsewhere are seen within this time at the latest. */
const LOOK_MS = 1_000

type Fleet = ReturnType<typeof createWebhookFleet>

export type RunPorts = CatchUpPorts & {
  /** For how long streams keep their messages, in ms. */
  readonly retentionMs: number
  readonly clock: Clock
  readonly wakeups: Wakeups
  readonly leases: { of(group: string): ReadonlyMap<number, bigint> }
  report(report: { kind: 'fault'; group: string; error: string }): void
}

/** Keeps the endpoints of this process fresh, and lets those catch up that were behind, until stopped. */
export function runFleet(webhooks: Fleet, ports: RunPorts): { stop(): Promise<void> } {
  const { clock, wakeups } = ports
  const { group } = webhooks.fleet
  const stopping = new AbortController()
  const failed = (error: unknown): void =>
    ports.report({ kind: 'fault', group, error: error instanceof Error ? error.name : 'unknown' })
  let droppedMs = Number.NEGATIVE_INFINITY
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const ticket = wakeups.ticket([ENDPOINTS_CHANGED])
      await turn(webhooks, ports).catch(failed)
      if (clock.monotonicMs() - droppedMs >= DROP_MS) {
        const isMore = await dropOld(webhooks, ports).catch(failed)
        if (!isMore) droppedMs = clock.monotonicMs()
      }
      await clock.sleep(LOOK_MS, AbortSignal.any([ticket.signal, stopping.signal]))
      ticket.release()
    }
  }
  const done = run()
  return {
    async stop() {
      stopping.abort()
      await done
    },
  }
}

/** Of the streams whose partition this process leases, those of deleted endpoints too. */
async function dropOld({ fleet }: Fleet, { database, leases, retentionMs }: RunPorts): Promise<boolean> {
  const held = leases.of(fleet.group)
  if (held.size === 0) return true
  const ours = (await streams(database)).filter((id) => held.has(fleet.partitionOf(destinationOf(id))))
  return dropOldMessages(database, ours, retentionMs)
}

async function turn(webhooks: Fleet, ports: RunPorts): Promise<void> {
  const { database, leases, wakeups } = ports
  const { group, partitionOf } = webhooks.fleet
  const isChanged = await webhooks.refresh()
  const held = leases.of(group)
  const ours = webhooks.endpoints().filter((id) => held.has(partitionOf(destinationOf(id))))
  const late = ours.length === 0 ? [] : await endpoints.load(database, await behind(database, ours))
  let isPushed = false
  for (const endpoint of late) isPushed = (await catchUp(endpoint, ports)) || isPushed
  if (isChanged || isPushed) wakeups.wake([group])
}
