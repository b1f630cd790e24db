import { heldLong } from '#gateways'
import { verifyLedger } from '#ledger'
import { gaps, listParked } from '#log'
import { compare, expect, type Section } from './findings.ts'
import * as sql from './sql.ts'
import type { Stage } from './stage.ts'

/** Whether log and books are whole, and how long money took to get there. */
export async function integritySection({ database, tenant }: Stage, isSettled: boolean): Promise<Section> {
  const verdict = await verifyLedger(database)
  const latencies = await sql.latency(database, tenant)
  return {
    title: 'Verify',
    findings: [
      expect('everything settled in time', isSettled, isSettled ? 'yes' : 'no', 'yes'),
      compare(
        `what is wrong with ${verdict.entries} entries, ${verdict.postings} postings`,
        verdict.findings.length,
        0,
      ),
      compare('partitions with gaps', (await gaps(database)).length, 0),
      compare('keys parked', (await listParked(database, null)).length, 0),
      compare('events held for over an hour', await heldLong(database), 0n),
    ],
    notes: [...verdict.findings, ...latencies.map(latencyLine)],
  }
}

type Latency = { readonly origin: string; readonly entries: bigint; readonly p50: number; readonly p99: number }

const WAYS: Readonly<Record<string, string>> = {
  'gateway.event_received': 'webhook accepted → posted',
  'payment.requested': 'request accepted → gateway → posted',
  'payment.operation_requested': 'capture accepted → gateway → posted',
}

function latencyLine({ origin, entries, p50, p99 }: Latency): string {
  return `${WAYS[origin] ?? origin}: p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms (${entries} captures)`
}
