import type { JobRequest, System } from '../system.ts'
import type { World } from '../world.ts'

const JOBS = 32
const KEYS = 6
const ACCOUNTS = 3
const POISON = 2

export type Job = JobRequest & { readonly isPoison: boolean }

/** Jobs of every kind for the probe, spread over two seconds. */
export function planJobs({ scheduler }: World<System>): { job: Job; atMs: number }[] {
  const jobs: { job: Job; atMs: number }[] = []
  const add = (job: string, key: string, kind: string, amount: number, atMs: number, isPoison = false): void => {
    jobs.push({ job: { job, key, kind, account: `a${scheduler.below(ACCOUNTS)}`, amount, isPoison }, atMs })
  }
  for (let n = 0; jobs.length < JOBS; n++) {
    const key = `k${scheduler.below(KEYS)}`
    const atMs = 500 * scheduler.below(3)
    const kind = scheduler.pick(['plain', 'timer', 'timer', 'call', 'call', 'call_once', 'call_soon'] as const)
    const amount = 100 * (1 + scheduler.below(5))
    add(`j${n}`, key, kind, amount, atMs, n < POISON)
    if (kind !== 'timer') continue
    // About when the timer is due.
    if (scheduler.chance(0.8))
      add(`j${n}!`, key, scheduler.pick(['cancel', 'move']), 300, atMs + amount + 50 * scheduler.below(3))
  }
  return jobs
}

/** Resolves when the door has taken the job; asks again until it has, and sometimes once more. */
export async function askFor(world: World<System>, job: Job): Promise<void> {
  let isAccepted = false
  const repeats = world.scheduler.chance(0.15) ? 2 : 1
  for (let attempt = 0; !isAccepted || attempt < repeats; attempt++) {
    const answer = world
      .running()
      ?.app.ask(job)
      .then(
        () => true,
        () => false,
      )
    if (answer && (await world.within(answer, 2_000, `${job.job} gives up waiting`))) isAccepted = true
    else await world.sleep(500, `${job.job} tries again`)
  }
}
