import { memoryClaims } from '../../server/core/memory-claims.ts'
import { claimsContract } from './claims-contract.ts'

claimsContract(memoryClaims)
