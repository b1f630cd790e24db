import { Counter, Gauge, type Registry } from 'prom-client'
import type { Lag, LoopReport } from '#log'

export type Instruments = ReturnType<typeof createInstruments>

/** What the platform counts. Labels are names out of the code and the configuration, never ids. */
export function createInstruments(registry: Registry) {
  const counter = <Label extends string>(name: string, help: string, labelNames: readonly Label[]) =>
    new Counter({ name: `millrace_${name}`, help, labelNames: [...labelNames], registers: [registry] })
  const gauge = <Label extends string>(name: string, help: string, labelNames: readonly Label[]) =>
    new Gauge({ name: `millrace_${name}`, help, labelNames: [...labelNames], registers: [registry] })

  const accepted = counter('accepted_total', 'Requests and webhooks at the door, by what came of them', [
    'kind',
    'outcome',
  ])
  const handled = counter('handled_events_total', 'Events handled', ['group'])
  const parked = counter('parked_events_total', 'Events parked as poison', ['group'])
  const faults = counter('faults_total', 'Batches that failed through no fault of an event, and were tried again', [
    'group',
  ])
  const stopped = counter('stopped_partitions_total', 'Partitions that met an event of a newer version', ['group'])
  const halted = gauge('halted', '1 where a group parked so much that it stopped', ['group'])
  const lagEvents = gauge('lag_events', 'Events a group has not read yet', ['group'])
  const lagSeconds = gauge('lag_seconds', 'Age of the oldest event a group has not read yet', ['group'])

  const counters = { handled, parked, fault: faults, partition_stopped: stopped }

  return {
    registry,
    accepted: (kind: 'payment' | 'webhook', outcome: string) => accepted.inc({ kind, outcome }),
    report(report: LoopReport): void {
      const { group } = report
      if (report.kind === 'halted') halted.set({ group }, 1)
      else counters[report.kind].inc({ group }, report.kind === 'handled' ? report.events : 1)
    },
    lag(groups: readonly Lag[]): void {
      for (const { group, events, seconds } of groups) {
        lagEvents.set({ group }, Number(events))
        lagSeconds.set({ group }, seconds)
      }
    },
  }
}
