import type pg from 'pg'
import { deliveryGroup, partitionOf } from '#log'
import { SimulationFailure } from '../machine.ts'

type Begun = { readonly destination: string }

/**
 * Watches who begins attempts: nobody whose lease another has. It leaves no trace in the tables, because a delivery is
 * settled once and a call repeated under one key does nothing; but a destination would be called by two at once.
 */
export function watchDeliverers(admin: pg.Client): (owner: string, rows: readonly Begun[]) => Promise<void> {
  const lastOf = new Map<string, string>()
  return async (owner, rows) => {
    for (const destination of new Set(rows.map((row) => row.destination))) {
      if (lastOf.get(destination) === owner) continue
      lastOf.set(destination, owner)
      const [name = '', part] = destination.split('/')
      const partition = part === undefined ? 0 : partitionOf(part)
      const values = [deliveryGroup(name), partition]
      const { rows: leases } = await admin.query({ name: 'simulation.lease', text: LEASE, values })
      const holder: string | null = leases[0]?.owner ?? null
      if (holder !== null && holder !== owner)
        throw new SimulationFailure(`${owner} begins attempts at ${destination}, whose lease ${holder} has`)
    }
  }
}

const LEASE = 'select owner from log.lease where grp = $1 and partition = $2'
