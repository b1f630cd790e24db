import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { schemasOf } from '#app'
import { createDigest } from '#kernel/digest'
import { migrationsOf } from '#kernel/migrate'
import { knownAnswer } from '#kernel/vault-sql'
import { masterKeyIn } from './account-secrets.ts'
import { type Check, count, type Installation, ok, orElse, problem, warning } from './doctor-check.ts'
import * as sql from './doctor-sql.ts'

const migrations: Check<Installation> = {
  name: 'migrations',
  async look({ database, modules }) {
    const nameOf = ({ schema, file }: { schema: string; file: string }): string => `${schema}/${file}`
    const ours = new Map(migrationsOf(schemasOf(modules)).map((one) => [nameOf(one), one.checksum]))
    const applied = new Map((await sql.appliedMigrations(database)).map((one) => [nameOf(one), one.checksum]))
    const missing = [...ours.keys()].filter((name) => !applied.has(name))
    const newer = [...applied.keys()].filter((name) => !ours.has(name))
    const changed = [...ours].filter(([name, sum]) => applied.has(name) && applied.get(name) !== sum)
    return orElse(
      [
        ...changed.map(([name]) =>
          problem(`${name} was changed after it was applied: nothing starts`, 'put back the file as it was released'),
        ),
        ...(missing.length > 0
          ? [warning(`not applied yet: ${missing.join(', ')}`, 'the next start of this version applies them')]
          : []),
        ...(newer.length > 0
          ? [
              warning(
                `a newer version has been here: ${newer.join(', ')}`,
                'finish the upgrade: start the newer version',
              ),
            ]
          : []),
      ],
      `${count(ours.size, 'file')} applied, as released`,
    )
  },
}

const roles: Check<Installation> = {
  name: 'roles',
  async look({ database, modules }) {
    const wanted = schemasOf(modules).flatMap(({ name, role }) => (role === undefined ? [] : [{ role, schema: name }]))
    const again = 'start a process as the owner of the schemas: it grants anew'
    const findings = (await sql.grantsOf(database, wanted)).flatMap(({ role, schema, ...grant }) => {
      if (!grant.is_there) return [problem(`the role ${role} is missing`, again)]
      return [
        ...(grant.is_ours
          ? []
          : [problem(`this user may not become ${role}`, `run: grant ${role} to the user of DATABASE_URL`)]),
        ...(grant.opens_log ? [] : [problem(`${role} may not use the schema log`, again)]),
        ...(grant.closed
          ? [problem(`${role} lacks rights on ${count(grant.closed, 'table')} of ${schema}`, again)]
          : []),
      ]
    })
    return orElse(findings, `${count(wanted.length, 'role')} of modules, each with its schema`)
  },
}

const sealing: Check<Installation> = {
  name: 'master key and database',
  async look({ database, config }) {
    // One that is missing or cannot be used is told by the check of the machine.
    const isThere = existsSync(join(config.dataDir, 'master.key'))
    const masterKey = isThere ? await masterKeyIn(config).catch(() => undefined) : undefined
    if (!masterKey) return []
    const answer = createDigest(masterKey)('master-key-check')
    const [known] = await database.query<{ answer: string }>(knownAnswer)
    if (!known) return [warning('this database has not met a master key yet', 'the first start settles it')]
    if (known.answer === answer) return [ok('the key is the one that this database was made with')]
    return [problem('the key is not the one that this database was made with', 'put back the backup of master.key')]
  },
}

export const schemaChecks: readonly Check<Installation>[] = [migrations, roles, sealing]
