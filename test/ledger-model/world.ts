import type { Account } from './books.ts'
import type { Platforms } from './platform.ts'

const TRIES_MAX = 10

type Settings = {
  readonly id: string
  readonly type: 'asset' | 'liability' | 'income'
  readonly currency?: string
  readonly floor?: number
  readonly ceiling?: number
  readonly guarded?: boolean
}

const numbered = (count: number, settings: Omit<Settings, 'id'>, name: string): Settings[] =>
  Array.from({ length: count }, (_, n) => ({ id: `${name}:${n}`, ...settings }))

/** The accounts that everybody works on: few enough that clients meet on them all the time. */
export const settings: readonly Settings[] = [
  { id: 'cash', type: 'asset' },
  { id: 'fees', type: 'income' },
  { id: 'reserve', type: 'liability', guarded: true },
  ...numbered(12, { type: 'liability', currency: 'EUR', floor: 0 }, 'wallet'),
  ...numbered(4, { type: 'liability', currency: 'EUR', floor: -500 }, 'credit'),
  ...numbered(4, { type: 'liability', currency: 'EUR', floor: 0, ceiling: 2_000 }, 'jar'),
  ...numbered(2, { type: 'asset', currency: 'EUR', floor: 0 }, 'till'),
  ...numbered(4, { type: 'liability', floor: 0 }, 'purse'),
  ...numbered(4, { type: 'liability', currency: 'EUR' }, 'loose'),
]

export const CURRENCIES = ['EUR', 'USD', 'JPY'] as const

const positions: readonly Account[] = CURRENCIES.map((currency) => {
  const limits = { floor: undefined, ceiling: undefined, isGuarded: false }
  return { name: `fx:position:${currency}`, growsBy: 'credit', currency, ...limits, isClosed: false }
})

/** As the model knows them before anything was booked. */
export function accountsOfModel(): Account[] {
  return [...settings.map(accountOf), ...positions]
}

function accountOf({ id, type, currency, floor, ceiling, guarded = false }: Settings): Account {
  return {
    name: id,
    growsBy: type === 'asset' ? 'debit' : 'credit',
    currency,
    floor: floor === undefined ? undefined : BigInt(floor),
    ceiling: ceiling === undefined ? undefined : BigInt(ceiling),
    isGuarded: guarded || floor !== undefined || ceiling !== undefined,
    isClosed: false,
  }
}

/** Opens them over the API. */
export async function openAccounts(platforms: Platforms): Promise<void> {
  for (const account of settings) await openAccount(platforms, account)
}

/** Opens an account; it waits for all who book, and on a machine with much else to do it asks again. */
export async function openAccount(platforms: Platforms, settings: Settings): Promise<void> {
  const { fetch, urls, authorization } = platforms
  const headers = { authorization, 'content-type': 'application/json' }
  const request = { method: 'POST', url: `${urls[0]}/v1/accounts`, headers, body: JSON.stringify(settings) }
  for (let left = TRIES_MAX; left > 0; left--) {
    const { status, body } = await fetch({ ...request, timeoutMs: 20_000 })
    if (status === 201) return
    if (status !== 503 || left === 1) throw new Error(`${settings.id} was not opened: ${body}`)
  }
}
