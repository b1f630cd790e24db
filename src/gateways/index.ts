import type { Destination } from '#delivery'
import type { Database } from '#kernel/database'
import { plainDigest } from '#kernel/digest'
import type { Module } from '#log'
import type { GatewayAccount } from './account.ts'
import { correlate } from './correlate.ts'
import { type GatewayPorts, gatewayDestination } from './destination.ts'
import * as events from './events.ts'
import * as sql from './sql.ts'

export type { GatewayAccount } from './account.ts'
export { openWebhook } from './inbound.ts'

export function createGateways(accounts: readonly GatewayAccount[]): Module {
  const { eventReceived, objectReported, payoutReported, callAnswered } = events
  return {
    name: 'gateways',
    summary: 'What payment gateways say, in our words, placed on our payments; and the calls we make to them.',
    events: [eventReceived, objectReported, payoutReported, callAnswered],
    accepts: [eventReceived],
    deciders: [correlate],
    facets: [{ about: 'payment', name: 'gateway objects', show: sql.showObjects }],
    destinations: accounts.filter(({ url }) => url !== undefined).map(({ name }) => `gateway:${name}`),
    migrations: new URL('./migrations/', import.meta.url),
  }
}

/** A destination for every account that can be called; the others only report. */
export function gatewayDestinations(accounts: readonly GatewayAccount[], ports: GatewayPorts): Destination[] {
  return accounts.filter(({ url }) => url !== undefined).map((account) => gatewayDestination(account, ports))
}

/**
 * The account that executes a payment: the first of its tenant and mode that can be called. Every
 * account takes every currency.
 */
export function createRoute(accounts: readonly GatewayAccount[]) {
  return ({ tenant, mode }: { tenant: string; mode: string }): string | undefined =>
    accounts.find((account) => account.tenant === tenant && account.mode === mode && account.url !== undefined)?.name
}

/** Whether calls can go to the account of this name. */
export function createIsCallable(accounts: readonly GatewayAccount[]) {
  return (name: string): boolean => accounts.some((account) => account.name === name && account.url !== undefined)
}

/** Events that have waited for over an hour to be placed. */
export function heldLong(database: Database): Promise<bigint> {
  return sql.heldLong(database)
}

/** Data keys' subjects of the webhook bodies that concern these payments. */
export async function bodySubjects(database: Database, tenant: string, payments: readonly string[]): Promise<string[]> {
  const objects = await sql.objectsOf(database, tenant, payments)
  return objects.map(({ account, object }) => `payment:${plainDigest('gateway-root', tenant, account, object)}`)
}
