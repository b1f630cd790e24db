import { issueApiKey } from '#access'
import { temporaryDirectory } from '#harness/directory'
import { systemClock } from '#kernel/clock'
import { loadConfig } from '#kernel/config'
import { type HttpFetch, systemFetch } from '#kernel/fetch'
import { systemRandom } from '#kernel/random'
import { accountsOf } from '../../src/cli/accounts.ts'
import { type Platform, startPlatform } from '../../src/cli/platform.ts'

export type Ending = { after(work: () => Promise<void>): void }

/** Several processes' worth of platforms on one database, as their clients see them. */
export type Platforms = {
  readonly urls: readonly string[]
  readonly authorization: string
  readonly fetch: HttpFetch
  readonly read: Platform['app']['databases']['read']
}

const LIMITS_OUT_OF_THE_WAY = { rateLimit: { perSecond: 1e6, burst: 1e6 } }

/** What `millrace start` runs, as often as is said; gone at the end. */
export async function startPlatforms(t: Ending, databaseUrl: string, count: number): Promise<Platforms> {
  const platforms: Platform[] = []
  // As on one machine: they share the master key.
  const directory = temporaryDirectory()
  for (let n = 0; n < count; n++) platforms.push(await startOne(t, databaseUrl, directory.path))
  t.after(() => directory.remove())
  const [first] = platforms
  if (!first) throw new Error('at least one platform is started')
  const apiKey = await issueApiKey(first.app.databases.read, systemRandom, { tenant: 'main', mode: 'test' })
  for (const { app } of platforms) await app.keys.refresh()
  const carriers = platforms.map(() => systemFetch(systemClock))
  t.after(async () => {
    for (const carrier of carriers) await carrier.close()
  })
  const urls = platforms.map(({ url }) => url)
  return {
    urls,
    authorization: `Bearer ${apiKey}`,
    fetch: (request) => {
      const at = urls.findIndex((url) => request.url.startsWith(`${url}/`))
      return (carriers[at] ?? carriers[0] ?? systemFetch(systemClock)).fetch(request)
    },
    read: first.app.databases.read,
  }
}

async function startOne(t: Ending, databaseUrl: string, cwd: string): Promise<Platform> {
  const config = await loadConfig({ cwd, env: {} })
  const changed = { ...config, port: 0, databaseUrl, logLevel: 'error' as const, ...LIMITS_OUT_OF_THE_WAY }
  const platform = await startPlatform({ config: changed, ...accountsOf(changed, 'whsec_simulated') })
  t.after(() => platform.stop())
  return platform
}
