import { hasten } from '#delivery'
import type { Clock } from '#kernel/clock'
import type { Database } from '#kernel/database'
import type { Mode } from '#kernel/ids'
import type { Random } from '#kernel/random'
import { factsTransaction } from '#log'
import * as events from './events.ts'
import { destinationOf } from './message-id.ts'
import { occurrence } from './occurrence.ts'
import * as sql from './sql/endpoints.ts'

/** Failing for this long without one success disables an endpoint. */
export const DISABLE_AFTER_MS = 5 * 24 * 60 * 60 * 1000
/** Shorter troubles are kept in memory: an endpoint that fails one call in ten writes nothing. */
const NOTE_AFTER_MS = 60_000

/** How an endpoint fares, as the process that delivers to it knows it. */
export type Health = {
  status: 'enabled' | 'disabled'
  reason: events.DisabledReason | null
  /** Unix milliseconds of the first failure since the last success. */
  failingSince: number | null
  /** Whether that is in the database. */
  isNoted: boolean
}

type Of = { readonly id: string; readonly tenant: string; readonly mode: Mode; readonly health: Health }

export type HealthPorts = { readonly database: Database; readonly clock: Clock; readonly random: Random }

/** What is seen of endpoints, and what follows: disabled after days of failure or when gone, enabled by a success. */
export function createHealthKeeper({ database, clock, random }: HealthPorts) {
  return {
    /** A message was taken. One that was disabled for failing is enabled again: this was the probe. */
    async succeeded(endpoint: Of): Promise<void> {
      const { health } = endpoint
      if (health.failingSince === null && health.status === 'enabled') return
      const wasNoted = health.isNoted
      const wasFailing = health.status === 'disabled' && health.reason === 'failing'
      Object.assign(health, { failingSince: null, isNoted: false })
      if (wasFailing) await enable(endpoint)
      else if (wasNoted) {
        await sql.setFailing(database, endpoint.id, null)
        // Whatever waits for its next attempt would wait for up to an hour, though it is known to answer.
        await database.transaction({}, (tx) => hasten(tx, destinationOf(endpoint.id)))
      }
    },

    async failed(endpoint: Of): Promise<void> {
      const { health } = endpoint
      const now = clock.now()
      health.failingSince ??= now
      const forMs = now - health.failingSince
      if (forMs >= DISABLE_AFTER_MS && health.status === 'enabled') return disable(endpoint, 'failing')
      if (forMs < NOTE_AFTER_MS || health.isNoted) return
      health.isNoted = true
      await sql.setFailing(database, endpoint.id, health.failingSince)
    },

    /** It said that it will never take another. */
    gone: (endpoint: Of): Promise<void> => disable(endpoint, 'gone'),
  }

  async function disable(endpoint: Of, reason: events.DisabledReason): Promise<void> {
    const { id, health } = endpoint
    const failingSince =
      reason === 'failing' && health.failingSince !== null ? { failingSince: health.failingSince } : {}
    await factsTransaction(database, async (tx) => {
      const row = await sql.disable(tx, id, reason)
      const facts = row ? [occurrence(events.endpointDisabled, endpoint, { reason, ...failingSince }, { random })] : []
      return { result: undefined, facts }
    })
    Object.assign(health, { status: 'disabled', reason })
  }

  async function enable(endpoint: Of): Promise<void> {
    const { id, health } = endpoint
    await factsTransaction(database, async (tx) => {
      const row = await sql.enable(tx, id, 'failing')
      if (!row) return { result: undefined, facts: [] }
      await hasten(tx, destinationOf(id))
      return { result: undefined, facts: [occurrence(events.endpointEnabled, endpoint, { by: 'probe' }, { random })] }
    })
    Object.assign(health, { status: 'enabled', reason: null })
  }
}

export type HealthKeeper = ReturnType<typeof createHealthKeeper>
