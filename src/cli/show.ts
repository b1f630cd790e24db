import { UsageError } from '#kernel/errors'
import { type Facet, isArchived } from '#log'
import type { Call, Command } from './command.ts'
import { withDatabase } from './connect.ts'
import { modulesOf } from './documents.ts'
import { table } from './help.ts'

const options = {
  tenant: { type: 'string', value: 'T', summary: 'whose it is (main)' },
  mode: { type: 'string', value: 'M', summary: 'test or live (test)' },
} as const

export const showPayment: Command = {
  name: 'show payment',
  summary: 'Show all that every module knows of a payment',
  arguments: 'ID',
  options,
  run: (call) => show(call, 'payment'),
}

export const showAccount: Command = {
  name: 'show account',
  summary: 'Show the balances of an account',
  arguments: 'NAME',
  options,
  run: (call) => show(call, 'account'),
}

function show(call: Call, about: Facet['about']): Promise<number> {
  const [id = ''] = call.arguments
  const subject = { tenant: call.text('tenant') ?? 'main', mode: call.text('mode') ?? 'test', id }
  return withDatabase(call, async (database) => {
    const facets = (await modulesOf(call)).flatMap((module) => module.facets ?? [])
    let shown = 0
    for (const facet of facets.filter((candidate) => candidate.about === about)) {
      const records = await facet.show(database, subject)
      if (records.length === 0) continue
      shown++
      for (const line of ['', facet.name, ...lines(records)]) call.print(line)
    }
    if (shown === 0)
      throw new UsageError(`Nothing is known of the ${about} ${id} in ${subject.mode} mode of ${subject.tenant}.`)
    const mayBeOlder = about === 'payment' && (await isArchived(database, id, new Date(0)))
    if (mayBeOlder) call.warn(`Older events may be in the archive: millrace events show ${id}`)
    return 0
  })
}

function lines(records: readonly Readonly<Record<string, unknown>>[]): string[] {
  const names = Object.keys(records[0] ?? {})
  return table(
    [names.map((name) => name.toUpperCase()), ...records.map((record) => names.map((name) => text(record[name])))],
    '  ',
  )
}

function text(value: unknown): string {
  if (value instanceof Date) return value.toISOString()
  return value === null || value === undefined ? '–' : String(value)
}
