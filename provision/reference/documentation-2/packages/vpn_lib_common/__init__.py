"""What the drop-in API, node and portal share: PHP configuration, profiles, the API's client."""
