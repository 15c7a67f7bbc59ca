(set-logic ALL)
(declare-fun any_6 () Bool)
(assert (and true true (not (= (and true (and (not true) any_6)) (and true (and (not false) false))))))
(check-sat)
