import type { Clock } from '#kernel/clock'
import { type Database, statement } from '#kernel/database'
import type { Wakeups } from './wakeup.ts'

const CHANNEL = 'millrace_log'
/** One NOTIFY for all that was committed in this time. */
const COALESCE_MS = 10
const NOTIFY = statement('log.notify', `select pg_notify('${CHANNEL}', $1)`)

/**
 * Passes wake-ups between processes. The NOTIFY is a transaction of its own, never part of an append:
 * it takes a global lock at commit. Losing one costs a poll, so faults are of no interest here.
 */
export async function startNotify(
  database: Database,
  wakeups: Wakeups,
  clock: Clock,
  self: { readonly process: string; isAlone(): boolean },
) {
  const names = new Set<string>()
  let sending: Promise<void> | undefined
  let isOpen = true

  const send = async (): Promise<void> => {
    await clock.sleep(COALESCE_MS)
    const payload = JSON.stringify([self.process, ...names])
    names.clear()
    sending = undefined
    await database.query(NOTIFY, [payload]).catch(() => {})
  }
  let isEcho = false
  wakeups.onWake((woken) => {
    if (!isOpen || isEcho || self.isAlone()) return
    for (const name of woken) names.add(name)
    if (names.size > 0) sending ??= send()
  })
  const stop = await database.listen(CHANNEL, (payload) => {
    const [sender, ...woken] = parse(payload)
    if (sender === self.process) return
    isEcho = true
    wakeups.wake(woken)
    isEcho = false
  })
  /** What was woken last is still told: that the leases are free. */
  return async (): Promise<void> => {
    isOpen = false
    await sending
    await stop()
  }
}

function parse(payload: string): string[] {
  try {
    const list: unknown = JSON.parse(payload)
    return Array.isArray(list) ? list.filter((name) => typeof name === 'string') : []
  } catch {
    return []
  }
}
