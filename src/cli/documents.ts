import { createModules } from '#app'
import { describeConfig, loadConfig } from '#kernel/config'
import { asyncApiOf, type Module, topologyOf } from '#log'
import { withSecrets } from './account-secrets.ts'
import { accountsOf } from './accounts.ts'
import type { Call, Command } from './command.ts'
import { version } from './version.ts'

export const topology: Command = {
  name: 'topology',
  summary: 'Draw who publishes and who reads what, as a Mermaid flowchart',
  async run(call) {
    call.print(topologyOf(await modulesOf(call)).trimEnd())
    return 0
  },
}

export const asyncApi: Command = {
  name: 'asyncapi',
  summary: 'Print the AsyncAPI 3.0 document of all topics and events',
  async run(call) {
    const document = asyncApiOf(await modulesOf(call), { title: 'Millrace', version: version() })
    call.print(JSON.stringify(document, null, 2))
    return 0
  },
}

export const config: Command = {
  name: 'config',
  summary: 'Show the settings in force, secrets masked',
  async run(call) {
    call.print(JSON.stringify(describeConfig(await loadConfig(call)), null, 2))
    return 0
  },
}

/** Only declarations are read: no address is called, no secret used, nothing digested. */
export async function modulesOf(call: Pick<Call, 'cwd' | 'env'>): Promise<readonly Module[]> {
  const { accounts, simulated } = accountsOf(await loadConfig(call), 'none')
  const nowhere = simulated.map((account) => ({ ...account, url: 'http://127.0.0.1' }))
  const known = [...accounts, ...nowhere].map((account) => withSecrets(account, () => 'none'))
  return createModules(known, { digest: () => '' })
}
