import { issueApiKey, listApiKeys, revokeApiKey } from '#access'
import { UsageError } from '#kernel/errors'
import { systemRandom } from '#kernel/random'
import type { Call, Command } from './command.ts'
import { withDatabase } from './connect.ts'
import { table } from './help.ts'

export const create: Command = {
  name: 'keys create',
  summary: 'Make an API key and print it, the only time it can be read',
  options: {
    tenant: { type: 'string', value: 'TENANT', summary: 'Whom it speaks for: small letters, digits and _' },
    mode: { type: 'string', value: 'test|live', summary: 'Which of the two worlds it opens' },
  },
  async run(call) {
    const about = { tenant: tenantOf(call), mode: modeOf(call) }
    const apiKey = await withDatabase(call, (database) => issueApiKey(database, systemRandom, about))
    call.print(apiKey)
    call.warn(
      `Keep it: only its hash is stored. It works within two seconds, for ${about.tenant} in ${about.mode} mode.`,
    )
    return 0
  },
}

export const revoke: Command = {
  name: 'keys revoke',
  summary: 'Make an API key useless, within two seconds',
  arguments: 'ID',
  run: (call) =>
    withDatabase(call, async (database) => {
      const [id = ''] = call.arguments
      if (await revokeApiKey(database, id)) {
        call.print(`${id} is revoked.`)
        return 0
      }
      call.warn(`No valid key has the id ${id}. See: millrace keys list`)
      return 1
    }),
}

export const list: Command = {
  name: 'keys list',
  summary: 'Show all API keys by their ids, the revoked ones too',
  run: (call) =>
    withDatabase(call, async (database) => {
      const keys = await listApiKeys(database)
      const rows = keys.map(({ id, tenant, mode, version, created_at, revoked_at }) => {
        return [
          id,
          tenant,
          mode,
          version,
          created_at.toISOString(),
          revoked_at === null ? 'valid' : `revoked ${revoked_at.toISOString()}`,
        ]
      })
      for (const line of table([['ID', 'TENANT', 'MODE', 'VERSION', 'CREATED', 'STATE'], ...rows], '')) call.print(line)
      return 0
    }),
}

/** As the table of tenants takes it. */
export function tenantOf(call: Call): string {
  const tenant = call.text('tenant')
  if (tenant === undefined) throw new UsageError('--tenant is missing: say whom it is for.')
  if (/^[a-z][a-z0-9_]{0,62}$/.test(tenant)) return tenant
  throw new UsageError('--tenant must begin with a small letter, and go on with up to 62 small letters, digits and _.')
}

function modeOf(call: Call): 'test' | 'live' {
  const mode = call.text('mode')
  if (mode === 'test' || mode === 'live') return mode
  throw new UsageError('--mode must be test or live.')
}
