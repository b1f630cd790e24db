import { statement } from '#kernel/database'
import { expect } from './auditor/expect.ts'
import { watchDeliverers } from './auditor/leases.ts'
import { auditCanaries, auditDrained, auditLog } from './auditor/log.ts'
import { auditMoney } from './auditor/money.ts'
import { auditOperations } from './auditor/operations.ts'
import { auditProbe, type ProbeCall } from './auditor/probe.ts'
import { auditWebhooks } from './auditor/webhooks.ts'
import { SimulationFailure } from './machine.ts'
import type { Remote } from './network.ts'
import { Gateway } from './outside/gateway.ts'
import { askFor, planJobs } from './outside/jobs.ts'
import { PAYMENTS, planPayments, request, type Told } from './outside/merchants.ts'
import { askForOperation, type ToldOperation } from './outside/operations.ts'
import { Receiver } from './outside/receiver.ts'
import type { Sessions } from './sessions.ts'
import { emptyStore } from './store.ts'
import {
  type App,
  createEndpoint,
  createSystem,
  type Parking,
  type Setting,
  type System,
  startSystem,
} from './system.ts'
import { World } from './world.ts'

/** Refunds, disputes and payouts that happen at the gateway meanwhile. */
const HAPPENINGS = 10
/** How far time may leap when all is calm and nothing is left to do but to look again. */
const LEAP_MS_MAX = 200_000
/** Looks at a quiet world before its work is said to have no end. */
const LOOKS_MAX = 150

export type Outcome = {
  readonly seed: string
  readonly digest: string
  readonly payments: number
  readonly statements: number
  readonly lockWaits: number
  readonly faults: readonly string[]
  readonly steps: number
  /** What the auditor or the engine found wrong, with the last steps. */
  readonly failure: string | undefined
}

/** One schedule: from a seed to the auditor's verdict. The same seed goes the same way, step by step. */
export async function runSchedule(seed: string, sessions: Sessions): Promise<Outcome> {
  await emptyStore(sessions.admin)
  const before = { ...sessions.counts }
  const schedule = new Schedule(seed, sessions)
  const { world } = schedule
  // Nobody heard of it: in the field that ends the process.
  const unheard: unknown[] = []
  const hear = (error: unknown): void => void unheard.push(error)
  process.on('unhandledRejection', hear)
  const failed = await schedule.run().catch((error: unknown) => error ?? 'failed')
  await world.end()
  process.off('unhandledRejection', hear)
  const [worst] = [failed, ...unheard].filter((error) => error !== undefined)
  const failure =
    worst === undefined ? undefined : `${worst instanceof Error ? worst.stack : worst}\n${world.scheduler.trace()}`
  return {
    seed,
    digest: world.scheduler.digest(),
    payments: PAYMENTS,
    statements: sessions.counts.statements - before.statements,
    lockWaits: sessions.counts.lockWaits - before.lockWaits,
    faults: world.machine.faults,
    steps: world.scheduler.steps,
    failure,
  }
}

class Schedule {
  readonly world: World<System>
  readonly #gateway: Gateway
  readonly #poison = new Set<string>()
  readonly #parked: Parking[] = []
  readonly #probeCalls: ProbeCall[] = []
  readonly #told: Told[] = []
  readonly #toldOperations: ToldOperation[] = []
  readonly #receivers: readonly Receiver[]
  readonly #owner: App
  #busyClients = 0

  constructor(seed: string, sessions: Sessions) {
    const remote: Remote = (...call) => this.#answer(...call)
    this.world = new World(seed, sessions, (seams) => startSystem(seams, setting), remote)
    const { scheduler, machine } = this.world
    const setting: Setting = {
      poison: this.#poison,
      backlogMax: scheduler.pick([10_000, 10_000, 10_000, 60]),
      parked: (parking) => void this.#parked.push(parking),
    }
    machine.begun = watchDeliverers(sessions.admin)
    this.#gateway = new Gateway(this.world)
    this.#owner = createSystem(this.world.outsider('owner'), setting)
    const names = scheduler.chance(0.3) ? ['early', 'late'] : ['early']
    this.#receivers = names.map((name) => new Receiver(this.world, name, name === 'early'))
  }

  async run(): Promise<void> {
    const { world } = this
    const jobs = planJobs(world)
    for (const { job } of jobs) if (job.isPoison) this.#poison.add(job.job)
    const [early, late] = this.#receivers
    if (early) this.#client(0, 'endpoint', () => this.#openEndpoint(early))
    await world.runWhile(() => this.#busyClients > 0, 0)
    world.start()
    if (late) this.#client(500 * world.scheduler.below(6), 'endpoint', () => this.#openEndpoint(late))
    for (const { job, atMs } of jobs) this.#client(atMs, `job ${job.job}`, () => askFor(world, job))
    for (const planned of planPayments(world)) {
      this.#client(planned.atMs, `payment ${planned.asked.key}`, () => this.#pay(planned))
    }
    for (let n = 0; n < HAPPENINGS; n++)
      world.later(500 * world.scheduler.below(8), 'at the gateway', () => this.#gateway.happen())
    world.later(1_000, 'operator retries', () => void this.#retry())
    world.later(2_000, 'poison is healed', () => this.#poison.clear())
    await world.runWhile(() => this.#poison.size > 0 || world.hasMishapsLeft, 2_500)
    await this.#drain()
    await this.#audit(jobs.map(({ job }) => job))
  }

  async #pay({ asked, wishes }: ReturnType<typeof planPayments>[number]): Promise<void> {
    const { world } = this
    const told = await request(world, asked)
    this.#told.push(told)
    if (told.kind !== 'accepted') return
    for (const wish of wishes) {
      this.#client(wish.inMs, `${wish.call} ${asked.key}`, async () => {
        this.#toldOperations.push(await askForOperation(world, told.id, wish))
      })
    }
  }

  /** An owner's connection never breaks, but waits like every other. */
  async #openEndpoint(receiver: Receiver): Promise<void> {
    const { url, patterns } = receiver
    try {
      receiver.knows(await createEndpoint(this.#owner, url, patterns))
    } catch {
      await this.world.sleep(500, 'the owner tries again')
      await this.#openEndpoint(receiver)
    }
  }

  #answer: Remote = (request, sent) => {
    const receiver = this.#receivers.find(({ url }) => url === request.url)
    if (receiver) return receiver.answer(request)
    if (!request.url.startsWith('http://probe.test')) return this.#gateway.answer(request, sent.atMs)
    const call = JSON.parse(request.body ?? '{}')
    if (call.kind === 'send') this.#probeCalls.push({ ...call, clockMs: sent.atMs, sentAtStep: sent.step })
    const isKnown = this.#probeCalls.some(({ id }) => id === call.id)
    return { status: isKnown ? 200 : 404, headers: {}, body: '{}' }
  }

  #client(atMs: number, label: string, work: () => Promise<void>): void {
    this.#busyClients++
    this.world.later(atMs, `client: ${label}`, () => void work().then(() => this.#busyClients--))
  }

  async #retry(): Promise<void> {
    await this.world
      .outsider('operator')
      .database.query(RETRY_ALL)
      .catch(() => {})
  }

  /** No more faults: what is left to do is done, by one process, to the last timer. */
  async #drain(): Promise<void> {
    const { world } = this
    world.calm()
    let hasStopped = false
    const stopOthers = (): void => {
      hasStopped = false
      void world.stopAllButOne().then(() => (hasStopped = true))
    }
    stopOthers()
    let looks = 0
    await world.runUntil(async () => {
      if (++looks > LOOKS_MAX)
        throw new SimulationFailure(
          `the work does not end: ${JSON.stringify(await workLeft(world))}, ${this.#gateway.webhooksUnderWay} webhooks`,
        )
      const left = await workLeft(world)
      if (left.parked > 0) void this.#retry()
      if (!hasStopped || this.#busyClients > 0 || this.#gateway.webhooksUnderWay > 0) return false
      const isIdle = left.now === 0 && left.parked === 0 && world.machine.disk.waiting === 0
      if (isIdle && left.inMs === null) return true
      // Those who have come up since.
      if (world.hasSeveral) stopOthers()
      // A little later than due: what comes soon after comes along.
      else if (isIdle) await world.pass(Math.max(0, left.inMs ?? 0) + world.scheduler.below(20_000))
      return false
    }, LEAP_MS_MAX)
  }

  async #audit(jobs: Parameters<typeof auditProbe>[1]['jobs']): Promise<void> {
    const { admin } = this.world.machine.sessions
    await auditLog(admin)
    await auditDrained(admin)
    expect(this.world.machine.disk.asides === 0, 'set aside in the spool, though nothing was damaged')
    await auditProbe(admin, { jobs, parked: this.#parked, probeCalls: this.#probeCalls })
    await auditMoney(admin, { told: this.#told, gateway: this.#gateway })
    await auditOperations(admin, { asked: this.#toldOperations, gateway: this.#gateway })
    await auditWebhooks(admin, this.#receivers)
    await auditCanaries(admin)
  }
}

const RETRY_ALL = statement('simulation.retry', 'update log.parked_key set retry_requested_at = log.now()')

/** What can be done now, what is parked, and when the next timer or retry is due. */
async function workLeft({ machine }: World<System>): Promise<{ now: number; parked: number; inMs: number | null }> {
  const { rows } = await machine.sessions.admin.query({
    name: 'simulation.work_left',
    text: `select (select count(*) from log.checkpoint c join log.partition p using (topic, partition)
         where c.next_offset < p.next_offset)::int
         + (select count(*) from webhooks.position where pushed < next_sequence - 1)::int as now,
       (select count(*) from log.parked_key)::int as parked,
       extract(epoch from least(
         (select min(due_at) from log.timer where fired_at is null),
         (select min(h.ready_at) from delivery.head h where h.ready_at < 'infinity')
       ) - $1::timestamptz)::float8 * 1000 as "inMs"`,
    values: [machine.databaseNow()],
  })
  return rows[0]
}
