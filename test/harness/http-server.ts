import { Registry } from 'prom-client'
import { issueApiKey } from '#access'
import { createInstruments, noDisk, startHttp } from '#http'
import { systemClock } from '#kernel/clock'
import type { Mode } from '#kernel/ids'
import { systemRandom } from '#kernel/random'
import { createLogger } from '#kernel/telemetry'
import type { ApiVersion } from '../../src/http/versions.ts'
import type { AppUnderTest } from './app.ts'

type Ending = { after(work: () => Promise<void>): void }

type HttpSettings = Pick<Parameters<typeof startHttp>[0], 'rateLimit' | 'disk'> & {
  readonly versions: readonly ApiVersion[]
}

export type HttpUnderTest = {
  readonly url: string
  /** Every line it has logged, at the most talkative level. */
  log(): string
  apiKey(tenant: string, mode: Mode): Promise<string>
}

/** The HTTP edge as `npm start` has it, on a free port of loopback, before an app that it starts. */
export async function openHttp(
  t: Ending,
  under: AppUnderTest,
  settings: Partial<HttpSettings> = {},
): Promise<HttpUnderTest> {
  let log = ''
  const destination = {
    write(line: string) {
      log += line
    },
  }
  const running = await under.start()
  const http = await startHttp({
    app: under.app,
    running,
    clock: systemClock,
    random: systemRandom,
    logger: createLogger({ level: 'trace', clock: systemClock, destination }),
    instruments: createInstruments(new Registry()),
    disk: noDisk,
    rateLimit: { perSecond: 1_000_000, burst: 1_000_000 },
    host: '127.0.0.1',
    port: 0,
    version: '0.0.0',
    ...settings,
  })
  t.after(() => http.stop())
  return {
    url: http.url,
    log: () => log,
    async apiKey(tenant, mode) {
      const key = await issueApiKey(under.databases.work, systemRandom, { tenant, mode })
      await under.app.keys.refresh()
      return key
    },
  }
}
