import type { App, RunningApp } from '#app'
import { isAway } from '#kernel/away'
import type { Clock } from '#kernel/clock'
import type { Logger } from '#kernel/telemetry'

/** What runs, or will as soon as the database answers. */
export type StartedApp = RunningApp & { isWaiting(): boolean }

const RETRY_MS = 250
const RETRY_MAX_MS = 2_000

export type StartPorts = {
  readonly app: App
  /** Whether to take requests without the database. One of our own is there, or the start has failed. */
  readonly mayWait: boolean
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * Migrates and starts the loops; with the database away, takes requests by the snapshot of keys and does so later.
 * @throws what the database said, where there is no such snapshot.
 */
export async function startNowOrLater(ports: StartPorts): Promise<StartedApp> {
  const { app, mayWait, logger } = ports
  const begin = async (): Promise<RunningApp> => {
    await app.prepare()
    return app.start()
  }
  try {
    return { ...(await begin()), isWaiting: () => false }
  } catch (error) {
    if (!mayWait || !isAway(error) || !(await app.keys.restore())) throw error
    logger.warn({ err: error }, 'the database is away: requests wait in the spool, and the rest starts when it answers')
    return startLater(begin, ports)
  }
}

function startLater(begin: () => Promise<RunningApp>, { app, clock, logger }: StartPorts): StartedApp {
  const stopping = new AbortController()
  let running: RunningApp | undefined

  const tryUntilItAnswers = async (): Promise<void> => {
    let pauseMs = RETRY_MS
    while (running === undefined) {
      await clock.sleep(pauseMs, stopping.signal)
      if (stopping.signal.aborted) return
      pauseMs = Math.min(2 * pauseMs, RETRY_MAX_MS)
      try {
        running = await begin()
        logger.info('the database answers: everything is started')
      } catch (error) {
        if (!isAway(error)) logger.error({ err: error }, 'the database answers, and the start fails: it is tried again')
      }
    }
  }
  const trying = tryUntilItAnswers()

  return {
    get log() {
      return running?.log ?? atRest
    },
    isWaiting: () => running === undefined,
    callsUnderWay: () => running?.callsUnderWay() ?? 0,
    async stop() {
      stopping.abort()
      await trying
      await (running ? running.stop() : app.door.close())
    },
  }
}

const atRest: RunningApp['log'] = { loops: [], leases: { of: () => new Map() }, stop: async () => {} }
