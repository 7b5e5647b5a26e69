export default { serverExternalPackages: ['landfall'] }
