"""The Flask edge that every front shares: services, parameters, cookies, addresses, headers, errors, health."""
