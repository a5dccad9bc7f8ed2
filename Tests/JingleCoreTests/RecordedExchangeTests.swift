let dinosOffer = sessionInitiate
