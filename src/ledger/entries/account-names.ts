import { invariant } from '#kernel/invariant'

/** What the gateway owes us. */
export function receivable(account: string): string {
  return `gateway:${part(account)}:receivable`
}

/** What the gateway has kept for its services. */
export function fees(account: string): string {
  return `gateway:${part(account)}:fees`
}

/** What a dispute has taken away until it is decided. */
export function disputed(account: string): string {
  return `gateway:${part(account)}:disputed`
}

/** What the gateway has paid out to us. */
export function bank(account: string): string {
  return `bank:${part(account)}`
}

/** What we owe the merchant. */
export function payable(merchant: string): string {
  return `merchant:${part(merchant)}:payable`
}

/** A colon inside a part would name another account. */
function part(name: string): string {
  invariant(name !== '' && !name.includes(':'), 'a part of an account name is not empty and has no colon')
  return name
}
