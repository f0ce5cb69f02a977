"""Hard frames that devices have sent: kept by tenant, shown, exported, and their labels taken back."""
