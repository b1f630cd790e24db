import { systemClock } from '#kernel/clock'
import { conditions, type Fault, type Hop } from './plan.ts'
import type { Wire } from './wire.ts'
import type { Node, World } from './world.ts'

/** Less than any watermark. */
const NEARLY_NOTHING_BYTES = 1024 * 1024

/**
 * Does to the world what the fault says, and takes it back: resolves when its cause is gone. Whatever the world is
 * when it is done, is the platform's to repair.
 */
export async function strike(fault: Fault, world: World): Promise<void> {
  const { server, gateway, receivers } = world
  switch (fault.kind) {
    case 'process killed': {
      const { process } = nodeOf(world, fault.process)
      await process.kill()
      await systemClock.sleep(fault.downMs)
      return process.start()
    }
    case 'process stopped': {
      const { process } = nodeOf(world, fault.process)
      return during(fault.forMs, process.freeze, process.thaw)
    }
    case 'process restarted': {
      const { process } = nodeOf(world, fault.process)
      await process.end()
      return process.start()
    }
    case 'PostgreSQL killed':
      await server.kill()
      await systemClock.sleep(fault.downMs)
      return server.start()
    case 'PostgreSQL stopped':
      return during(fault.forMs, server.freeze, server.thaw)
    case 'slow disk':
      await server.slowDown(fault.flushDelayUs)
      await systemClock.sleep(fault.forMs)
      return server.slowDown(0)
    case 'disk full': {
      const { process, database } = nodeOf(world, fault.process)
      // With the log at hand the spool's disk does not matter.
      const set = (freeBytes: number | null, kind: 'cut' | 'whole') => (): void => {
        process.tamper({ freeBytes })
        database.become({ kind })
      }
      return during(fault.forMs, set(NEARLY_NOTHING_BYTES, 'cut'), set(null, 'whole'))
    }
    case 'clock stepped': {
      const { process } = nodeOf(world, fault.process)
      const set = (clockOffsetMs: number) => (): void => process.tamper({ clockOffsetMs })
      return during(fault.forMs, set(fault.byMs), set(0))
    }
    case 'gateway stopped': {
      const send = (signal: NodeJS.Signals) => (): void => void globalThis.process.kill(gateway.pid, signal)
      return during(fault.forMs, send('SIGSTOP'), send('SIGCONT'))
    }
    case 'receivers down':
      await receivers.ask('goDown', null)
      await systemClock.sleep(fault.forMs)
      return receivers.ask('comeBack', null)
    default: {
      const wire = wireOf(world, fault.hop, fault.process)
      const become = (condition: (typeof conditions)[typeof fault.kind]) => (): void => wire.become(condition)
      return during(fault.forMs, become(conditions[fault.kind]), become({ kind: 'whole' }))
    }
  }
}

/** What two faults must not be about at the same time. */
export function subjectOf(fault: Fault): string {
  switch (fault.kind) {
    case 'PostgreSQL killed':
    case 'PostgreSQL stopped':
    case 'slow disk':
      return 'PostgreSQL'
    case 'gateway stopped':
      return 'the gateway'
    case 'receivers down':
      return 'the receivers'
    case 'network cut':
    case 'network stalled':
    case 'network slow':
    case 'answers lost':
      return fault.hop === 'receivers' ? 'to the receivers' : `process ${fault.process + 1}, ${fault.hop}`
    default:
      return `process ${fault.process + 1}`
  }
}

export function nodeOf({ nodes }: World, process: number): Node {
  const node = nodes[process]
  if (!node) throw new Error(`there is no process ${process}`)
  return node
}

export function wireOf(world: World, hop: Hop, process: number): Wire {
  const { front, database, gateway } = nodeOf(world, process)
  return { clients: front, database, gateway, receivers: world.outward }[hop]
}

async function during(ms: number, begin: () => void, end: () => void): Promise<void> {
  begin()
  try {
    await systemClock.sleep(ms)
  } finally {
    end()
  }
}
