import { MemoryClaims } from '../../server/core/memory-claims.ts'
import { claimsContract } from './claims-contract.ts'

claimsContract(() => new MemoryClaims())
