import type { Config, GatewayConfig } from '#kernel/config'
import { UsageError } from '#kernel/errors'
import type { AccountSettings } from './account-secrets.ts'
import type { SimulatedAccount } from './platform.ts'

/** The tenant of whoever has just one. */
export const TENANT = 'main'

/** The account that a platform without gateways of its own gets in test mode. */
const SIMULATED = 'simulated'

/**
 * The configured gateway accounts. A simulated gateway without an address is one to be started beside us;
 * where nothing is configured, test mode gets one, so that a first payment has somewhere to go.
 */
export function accountsOf(
  config: Config,
  ownSecret: string,
): { accounts: AccountSettings[]; simulated: SimulatedAccount[] } {
  const configured = Object.entries(config.gateways)
  if (configured.length === 0 && config.mode === 'test') return { accounts: [], simulated: [firstGateway(ownSecret)] }
  const isOurs = ({ gateway, url }: GatewayConfig): boolean => gateway === 'simulated' && url === undefined
  return {
    accounts: configured.filter(([, one]) => !isOurs(one)).map(([name, one]) => accountOf(name, one)),
    simulated: configured
      .filter(([, one]) => isOurs(one))
      .map(([name, one]) => ({ ...withSecret(accountOf(name, one), ownSecret), isCalled: true })),
  }
}

function firstGateway(secret: string): SimulatedAccount {
  const about = { tenant: TENANT, mode: 'test', merchant: 'mer_main', webhookSecrets: [secret] } as const
  return { name: SIMULATED, gateway: 'simulated', ...about, isCalled: true }
}

function withSecret(account: AccountSettings, secret: string): AccountSettings {
  return account.webhookSecrets.length > 0 ? account : { ...account, webhookSecrets: [secret] }
}

function accountOf(
  name: string,
  { gateway, tenant = TENANT, mode, merchant, webhookSecrets, url, apiKey }: GatewayConfig,
): AccountSettings {
  if (gateway === 'stripe' && url !== undefined) {
    throw new UsageError(
      `gateways.${name}.url must be left out: a Stripe account reports by webhooks, and is not called.`,
    )
  }
  return {
    name,
    gateway,
    tenant,
    mode,
    merchant,
    webhookSecrets,
    ...(url === undefined ? {} : { url }),
    ...(apiKey === undefined ? {} : { apiKey }),
  }
}
