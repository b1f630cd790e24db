/** Ids are strings of their own type each, so that one is never passed for another. */
declare const brand: unique symbol
export type Brand<Name extends string> = string & { readonly [brand]: Name }

export type TenantId = Brand<'TenantId'>
export type PaymentId = Brand<'PaymentId'>
export type EventId = Brand<'EventId'>
export type Mode = 'test' | 'live'

/** The one place that turns a checked string into an id. */
export function brandId<Id extends Brand<string>>(checked: string): Id {
  return checked as Id
}
